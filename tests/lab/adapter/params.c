// SPDX-License-Identifier: GPL-2.0
/* Module parameters: modes, delays and injected failures. All can be changed at run time. */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/spinlock.h>

#include "rdmalab.h"

/* ---- modes ---- */

static int choose(const char *val, const char *const *names, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (sysfs_streq(val, names[i]))
			return i;
	return -EINVAL;
}

static const char *const mode_names[] = { "ib", "eth" };
static int mode;

static int mode_set(const char *val, const struct kernel_param *kp)
{
	int n = choose(val, mode_names, ARRAY_SIZE(mode_names));

	if (n < 0)
		return n;
	mode = n;
	return 0;
}

static int mode_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", mode_names[mode]);
}

static const struct kernel_param_ops mode_ops = { .set = mode_set, .get = mode_get };
module_param_cb(mode, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(mode, "ib (default) or eth; read when a PF is bound");

bool lab_mode_is_eth(void)
{
	return mode == 1;
}

static const char *const netns_names[] = { "auto", "init", "device" };
static int ipoib_netns;

static int netns_set(const char *val, const struct kernel_param *kp)
{
	int n = choose(val, netns_names, ARRAY_SIZE(netns_names));

	if (n < 0)
		return n;
	ipoib_netns = n;
	return 0;
}

static int netns_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", netns_names[ipoib_netns]);
}

static const struct kernel_param_ops netns_ops = { .set = netns_set, .get = netns_get };
module_param_cb(ipoib_netns, &netns_ops, NULL, 0644);
MODULE_PARM_DESC(ipoib_netns, "where IPoIB netdevs are made: init, device, or auto (default: as this kernel's ib_ipoib)");

bool lab_ipoib_in_device_ns(void)
{
	return ipoib_netns ? ipoib_netns == 2 : LAB_IPOIB_IN_DEVICE_NS;
}

static const char *const ipoib_names[] = { "0", "1", "module" };
static int ipoib = 1;

static int ipoib_set(const char *val, const struct kernel_param *kp)
{
	int n = choose(val, ipoib_names, ARRAY_SIZE(ipoib_names));

	if (n < 0)
		return n;
	ipoib = n;
	lab_ipoib_mode_changed();
	return 0;
}

static int ipoib_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ipoib_names[ipoib]);
}

static const struct kernel_param_ops ipoib_ops = { .set = ipoib_set, .get = ipoib_get };
module_param_cb(ipoib, &ipoib_ops, NULL, 0644);
MODULE_PARM_DESC(ipoib, "IPoIB netdevs: 1 always (default), 0 none, module: while ib_ipoib is loaded (after this module)");

int lab_ipoib_wanted(void)
{
	return ipoib;
}

bool lab_nomove;
module_param_named(nomove, lab_nomove, bool, 0644);
MODULE_PARM_DESC(nomove, "no disassociation: a namespace move is EOPNOTSUPP, as with drivers that lack it; read at probe");

bool lab_vf_guids;
module_param_named(vf_guids, lab_vf_guids, bool, 0644);
MODULE_PARM_DESC(vf_guids, "new VFs have GUIDs derived from the PF's instead of zero");

bool lab_keep_guids;
module_param_named(keep_guids, lab_keep_guids, bool, 0644);
MODULE_PARM_DESC(keep_guids, "VF GUIDs and link states survive sriov_numvfs, as with mlx5's cache");

bool lab_vendor_sysfs;
module_param_named(vendor_sysfs, lab_vendor_sysfs, bool, 0644);
MODULE_PARM_DESC(vendor_sysfs, "make sriov/N/{node,port,policy,...} below the PF; read when sriov_numvfs is written");

unsigned int lab_sfs;
module_param_named(sfs, lab_sfs, uint, 0644);
MODULE_PARM_DESC(sfs, "auxiliary devices mlx5_core.sf.N to make on each PF; read when a PF is bound");

int lab_total_vfs = -1;
module_param_named(total_vfs, lab_total_vfs, int, 0644);
MODULE_PARM_DESC(total_vfs, "how many VFs the firmware offers (sriov_totalvfs), -1 (default) for all; read when a PF is bound");

unsigned int lab_ibdevs = 1;
module_param_named(ibdevs, lab_ibdevs, uint, 0644);
MODULE_PARM_DESC(ibdevs, "RDMA devices of each VF, 1 to 4; read at probe");

unsigned int lab_fw_vfs;
module_param_named(fw_vfs, lab_fw_vfs, uint, 0644);
MODULE_PARM_DESC(fw_vfs, "VFs that the firmware offers at first, with settings in devlink; 0 (default): no such settings; read when a PF is bound");

unsigned int lab_driver_id;
module_param_named(driver_id, lab_driver_id, uint, 0644);
MODULE_PARM_DESC(driver_id, "enum rdma_driver_id told to user space; 0 (default) keeps libibverbs' providers away");

unsigned long long lab_guid_base = 0x0c42a10300000000ULL;
module_param_named(guid_base, lab_guid_base, ullong, 0644);
MODULE_PARM_DESC(guid_base, "GUID of a PF is this plus its PCI bus, device and function in bits 8 to 23");

unsigned long long lab_stat_base = 1000;
module_param_named(stat_base, lab_stat_base, ullong, 0644);
MODULE_PARM_DESC(stat_base, "added to every hardware counter");

unsigned short lab_pkey;
module_param_named(pkey, lab_pkey, ushort, 0444);
MODULE_PARM_DESC(pkey, "the second P_Key of each port; with it there can be IPoIB children (kind ipoib)");

/* ---- delays ---- */

unsigned int lab_probe_delay_ms;
module_param_named(probe_delay_ms, lab_probe_delay_ms, uint, 0644);
MODULE_PARM_DESC(probe_delay_ms, "time a VF's probe takes");

unsigned int lab_remove_delay_ms;
module_param_named(remove_delay_ms, lab_remove_delay_ms, uint, 0644);
MODULE_PARM_DESC(remove_delay_ms, "time a VF's removal takes");

unsigned int lab_numvfs_delay_ms;
module_param_named(numvfs_delay_ms, lab_numvfs_delay_ms, uint, 0644);
MODULE_PARM_DESC(numvfs_delay_ms, "time a write to sriov_numvfs takes, before anything happens");

unsigned int lab_guid_delay_ms;
module_param_named(guid_delay_ms, lab_guid_delay_ms, uint, 0644);
MODULE_PARM_DESC(guid_delay_ms, "time setting a VF's GUID takes (under rtnl, as with real firmware)");

/* Looks at the parameter all the while, so that a test can end a delay it has started by writing 0. */
void lab_delay(unsigned int *ms)
{
	unsigned long start = jiffies;

	while (time_before(jiffies, start + msecs_to_jiffies(READ_ONCE(*ms))))
		msleep(min(READ_ONCE(*ms), 10U));
}

/* ---- injected failures: WHO[,ERRNO[,TIMES]] ---- */

static DEFINE_SPINLOCK(fault_lock);

static int fault_parse(const char *val, struct lab_fault *fault)
{
	struct lab_fault new = { .vf = LAB_FAULT_OFF, .err = EIO, .left = -1 };
	char who[8] = "";
	int n;

	n = sscanf(val, "%7[^, \n],%d,%d", who, &new.err, &new.left);
	if (n < 1 || !strcmp(who, "off") || !strcmp(who, "-1"))
		new.vf = LAB_FAULT_OFF;
	else if (!strcmp(who, "pf"))
		new.vf = LAB_FAULT_PF;
	else if (!strcmp(who, "all") || !strcmp(who, "*"))
		new.vf = LAB_FAULT_ALL;
	else if (kstrtoint(who, 10, &new.vf) || new.vf < 0)
		return -EINVAL;
	if (new.err <= 0 || new.err > MAX_ERRNO)
		return -EINVAL;

	spin_lock(&fault_lock);
	*fault = new;
	spin_unlock(&fault_lock);
	return 0;
}

static int fault_set(const char *val, const struct kernel_param *kp)
{
	return fault_parse(val, kp->arg);
}

static int fault_get(char *buf, const struct kernel_param *kp)
{
	struct lab_fault f;

	spin_lock(&fault_lock);
	f = *(struct lab_fault *)kp->arg;
	spin_unlock(&fault_lock);
	if (f.vf == LAB_FAULT_OFF)
		return sysfs_emit(buf, "off\n");
	if (f.vf == LAB_FAULT_PF)
		return sysfs_emit(buf, "pf,%d,%d\n", f.err, f.left);
	if (f.vf == LAB_FAULT_ALL)
		return sysfs_emit(buf, "all,%d,%d\n", f.err, f.left);
	return sysfs_emit(buf, "%d,%d,%d\n", f.vf, f.err, f.left);
}

/* vf is the index of a VF, or LAB_FAULT_PF. A fault that has struck as often as asked turns itself off. */
int lab_fault_hit(struct lab_fault *fault, int vf)
{
	int err = 0;

	spin_lock(&fault_lock);
	if (fault->vf != LAB_FAULT_OFF && fault->left && (fault->vf == vf || fault->vf == LAB_FAULT_ALL)) {
		err = -fault->err;
		if (fault->left > 0 && !--fault->left)
			fault->vf = LAB_FAULT_OFF;
	}
	spin_unlock(&fault_lock);
	return err;
}

static const struct kernel_param_ops fault_ops = { .set = fault_set, .get = fault_get };

#define LAB_FAULT_PARAM(param, fault, text)					\
	struct lab_fault fault = { .vf = LAB_FAULT_OFF, .err = EIO, .left = -1 };	\
	module_param_cb(param, &fault_ops, &fault, 0644);			\
	MODULE_PARM_DESC(param, text " fails: WHO[,ERRNO[,TIMES]], WHO a VF index, pf, all or off")

LAB_FAULT_PARAM(fail_probe_vf, lab_fail_probe, "probe of a VF");
LAB_FAULT_PARAM(fail_guid_vf, lab_fail_guid, "setting a VF's GUID");
LAB_FAULT_PARAM(fail_mac_vf, lab_fail_mac, "setting a VF's MAC");
LAB_FAULT_PARAM(fail_link_vf, lab_fail_link, "setting a VF's link state");
LAB_FAULT_PARAM(fail_port_vf, lab_fail_port, "asking for a port's state");
LAB_FAULT_PARAM(fail_move, lab_fail_move, "moving a function's RDMA device to another namespace");
LAB_FAULT_PARAM(fail_numvfs, lab_fail_numvfs, "enabling VFs (WHO: pf)");

/* ---- a port that is down whatever the policy says ---- */

static struct lab_fault port_down = { .vf = LAB_FAULT_OFF, .err = EIO, .left = -1 };

static int port_down_set(const char *val, const struct kernel_param *kp)
{
	int err = fault_parse(val, &port_down);

	if (!err)
		lab_all_links_changed();
	return err;
}

static const struct kernel_param_ops port_down_ops = { .set = port_down_set, .get = fault_get };
module_param_cb(port_down_vf, &port_down_ops, &port_down, 0644);
MODULE_PARM_DESC(port_down_vf, "this VF's, the pf's or all ports are down");

bool lab_port_forced_down(int vf)
{
	int who = READ_ONCE(port_down.vf);

	return who == LAB_FAULT_ALL || who == (vf < 0 ? LAB_FAULT_PF : vf);
}
