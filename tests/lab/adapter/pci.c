// SPDX-License-Identifier: GPL-2.0
/* PCI functions: binding PFs and VFs, and the number of VFs. */
#include <linux/idr.h>
#include <linux/slab.h>

#include "rdmalab.h"

static DEFINE_IDA(pf_indexes);
static DEFINE_MUTEX(pfs_lock);		/* pfs; inside: lab_pf.lock */
static struct lab_pf *pfs[16];

/* ---- identity ---- */

static void set_mac(u8 *mac, u64 guid)
{
	put_unaligned_be24(guid >> 40, mac);
	put_unaligned_be24(guid & 0xffffff, mac + 3);
}

static void pf_ids(struct lab_fn *fn)
{
	fn->node_guid = lab_guid_base + ((u64)pci_dev_id(fn->pdev) << 8);
	fn->port_guid = fn->node_guid;
	fn->lid = (fn->pf->index << 8) + 2;
	set_mac(fn->mac, fn->node_guid);
}

/* SFs sit above the VFs' 1 to 127 in a PF's block of 256. */
void lab_sf_ids(struct lab_fn *fn, struct lab_pf *pf, unsigned int sfnum)
{
	fn->node_guid = pf->fn->node_guid + 0x90 + sfnum;
	fn->port_guid = fn->node_guid;
	fn->lid = pf->fn->lid + 0x90 + sfnum;
	set_mac(fn->mac, fn->node_guid);
}

/* ---- link state ---- */

static void fn_link_changed(struct lab_fn *fn)
{
	struct ib_event event = { .device = fn->ibdev };
	int i;

	if (fn->eth)
		lab_eth_link_changed(fn);
	event.event = lab_link_up(fn) ? IB_EVENT_PORT_ACTIVE : IB_EVENT_PORT_ERR;
	event.element.port_num = LAB_PORT;
	ib_dispatch_event(&event);
	for (i = 0; i < ARRAY_SIZE(fn->further); i++) {
		event.device = fn->further[i];
		if (event.device)
			ib_dispatch_event(&event);
	}
}

/* Caller holds pf->lock, which keeps bound VFs from going. */
void lab_links_changed(struct lab_pf *pf)
{
	int i;

	lockdep_assert_held(&pf->lock);
	if (pf->fn)
		fn_link_changed(pf->fn);
	for (i = 0; i < pf->num_vfs; i++)
		if (pf->vf[i].fn)
			fn_link_changed(pf->vf[i].fn);
}

void lab_all_links_changed(void)
{
	int i;

	mutex_lock(&pfs_lock);
	for (i = 0; i < ARRAY_SIZE(pfs); i++) {
		if (!pfs[i])
			continue;
		mutex_lock(&pfs[i]->lock);
		lab_links_changed(pfs[i]);
		mutex_unlock(&pfs[i]->lock);
	}
	mutex_unlock(&pfs_lock);
}

/* ---- number of VFs ---- */

static void vfs_down(struct lab_pf *pf, struct pci_dev *pdev)
{
	lab_vendor_remove(pf);
	pci_disable_sriov(pdev);
	mutex_lock(&pf->lock);
	lab_vf_wipe(pf);
	pf->num_vfs = 0;
	mutex_unlock(&pf->lock);
}

static int lab_sriov_configure(struct pci_dev *pdev, int num)
{
	struct lab_pf *pf = ((struct lab_fn *)pci_get_drvdata(pdev))->pf;
	int err;

	lab_delay(&lab_numvfs_delay_ms);
	if (!num) {
		if (pci_vfs_assigned(pdev))
			return -EPERM;
		vfs_down(pf, pdev);
		return 0;
	}

	err = lab_fault_hit(&lab_fail_numvfs, LAB_FAULT_PF);
	if (err)
		return err;

	/* The table comes first: VFs are probed, and read it, before pci_enable_sriov() returns. */
	mutex_lock(&pf->lock);
	pf->num_vfs = num;
	lab_vf_wipe(pf);
	mutex_unlock(&pf->lock);

	err = pci_enable_sriov(pdev, num);
	if (err) {
		mutex_lock(&pf->lock);
		pf->num_vfs = 0;
		mutex_unlock(&pf->lock);
		return err;
	}
	err = lab_vendor_add(pf);
	if (err)
		pci_warn(pdev, "no sriov folder: %d\n", err);
	return num;
}

/* ---- PF ---- */

static int pf_probe(struct lab_fn *fn)
{
	struct devlink *devlink;
	struct lab_pf *pf;
	int index, err, total;

	err = lab_firmware_add(fn->pdev, &devlink);
	if (err)
		return err;
	total = pci_sriov_get_totalvfs(fn->pdev);
	index = ida_alloc_max(&pf_indexes, ARRAY_SIZE(pfs) - 1, GFP_KERNEL);
	if (index < 0) {
		err = index;
		goto no_index;
	}
	pf = kzalloc(struct_size(pf, vf, total), GFP_KERNEL);
	if (!pf) {
		err = -ENOMEM;
		goto no_pf;
	}
	mutex_init(&pf->lock);
	pf->index = index;
	pf->total_vfs = total;
	pf->devlink = devlink;
	pf->eth = lab_mode_is_eth();
	fn->pf = pf;
	pf_ids(fn);

	err = lab_fn_start(fn);
	if (err)
		goto no_fn;
	pf->fn = fn;
	/* The core takes it back when the PF is unbound. */
	if (lab_total_vfs >= 0 && lab_total_vfs <= total)
		pci_sriov_set_totalvfs(fn->pdev, lab_total_vfs);
	err = lab_sfs_add(pf);
	if (err)
		goto no_sfs;

	mutex_lock(&pfs_lock);
	pfs[index] = pf;
	mutex_unlock(&pfs_lock);
	return 0;

no_sfs:
	lab_fn_stop(fn);
no_fn:
	kfree(pf);
no_pf:
	ida_free(&pf_indexes, index);
no_index:
	lab_firmware_remove(fn->pdev, devlink);
	return err;
}

static void pf_remove(struct lab_fn *fn)
{
	struct lab_pf *pf = fn->pf;

	mutex_lock(&pfs_lock);
	pfs[pf->index] = NULL;
	mutex_unlock(&pfs_lock);

	if (pf->num_vfs)
		vfs_down(pf, fn->pdev);
	lab_sfs_remove(pf);
	lab_fn_stop(fn);
	ida_free(&pf_indexes, pf->index);
	lab_firmware_remove(fn->pdev, pf->devlink);
	kfree(pf);
}

/* ---- VF ---- */

static int vf_probe(struct lab_fn *fn)
{
	struct lab_pf *pf;
	struct lab_fn *pf_fn;
	int err;

	pf_fn = pci_iov_get_pf_drvdata(fn->pdev, &lab_pci_driver);
	if (IS_ERR_OR_NULL(pf_fn))
		return -ENODEV;		/* the PF is bound to something else */
	pf = pf_fn->pf;
	fn->pf = pf;
	fn->vf = pci_iov_vf_id(fn->pdev);

	lab_delay(&lab_probe_delay_ms);
	err = lab_fault_hit(&lab_fail_probe, fn->vf);
	if (err) {
		pci_err(fn->pdev, "probe fails with %d, as asked\n", err);
		return err;
	}
	err = lab_vf_take(pf, fn->vf, fn);
	if (err)
		return err;
	fn->lid = pf_fn->lid + 1 + fn->vf;
	err = lab_fn_start(fn);
	if (err)
		return err;
	lab_vf_bound(pf, fn->vf, fn);
	return 0;
}

static void vf_remove(struct lab_fn *fn)
{
	lab_delay(&lab_remove_delay_ms);
	lab_vf_bound(fn->pf, fn->vf, NULL);
	lab_fn_stop(fn);
}

/* ---- both ---- */

static int lab_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct lab_fn *fn;
	int err;

	fn = kzalloc(sizeof(*fn), GFP_KERNEL);
	if (!fn)
		return -ENOMEM;
	fn->kind = pdev->is_virtfn ? LAB_VF : LAB_PF;
	fn->vf = -1;
	fn->pdev = pdev;
	fn->parent = &pdev->dev;

	err = pci_enable_device(pdev);
	if (err)
		goto no_device;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, fn);
	err = fn->kind == LAB_VF ? vf_probe(fn) : pf_probe(fn);
	if (err)
		goto no_fn;
	return 0;

no_fn:
	pci_set_drvdata(pdev, NULL);
	pci_disable_device(pdev);
no_device:
	kfree(fn);
	return err;
}

static void lab_remove(struct pci_dev *pdev)
{
	struct lab_fn *fn = pci_get_drvdata(pdev);

	if (fn->kind == LAB_VF)
		vf_remove(fn);
	else
		pf_remove(fn);
	pci_set_drvdata(pdev, NULL);
	pci_disable_device(pdev);
	kfree(fn);
}

/* No MODULE_DEVICE_TABLE: the module is loaded on purpose, never because such a device exists. */
static const struct pci_device_id lab_ids[] = {
	{ PCI_DEVICE(0x8086, 0x10c9) },	/* QEMU igb, PF */
	{ PCI_DEVICE(0x8086, 0x10ca) },	/* QEMU igb, VF */
	{ PCI_DEVICE(0x1b36, 0x0010) },	/* QEMU NVMe, PF and VF */
	{ }
};

struct pci_driver lab_pci_driver = {
	.name = LAB_DRIVER,
	.id_table = lab_ids,
	.probe = lab_probe,
	.remove = lab_remove,
	.sriov_configure = lab_sriov_configure,
};
