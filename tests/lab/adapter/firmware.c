// SPDX-License-Identifier: GPL-2.0
/*
 * What the adapter's firmware keeps: whether it has VFs, and how many. Both are permanent parameters of devlink, and
 * take effect when the PF is bound anew, which stands for a reset of the card. Beside them: the mode of the switch.
 */
#include <net/devlink.h>

#include "rdmalab.h"

#ifdef DEVLINK_PARAM_GENERIC_TOTAL_VFS_NAME
#define FW_TOTAL_ID	DEVLINK_PARAM_GENERIC_ID_TOTAL_VFS
#define FW_TOTAL_IS_GENERIC	true
#else
#define FW_TOTAL_ID	(DEVLINK_PARAM_GENERIC_ID_MAX + 1)
#define FW_TOTAL_IS_GENERIC	false
#endif
#define FW_ENABLE_ID	DEVLINK_PARAM_GENERIC_ID_ENABLE_SRIOV

/* A card's memory, by its place: it outlives the driver, though not this module. */
struct fw_memory {
	struct list_head list;
	int domain, bus, devfn;
	int hardware;		/* VFs of the emulated device */
	u32 total;
	bool enable;
};

static LIST_HEAD(memories);
static DEFINE_MUTEX(memories_lock);

struct lab_firmware {
	struct fw_memory *memory;
	u16 mode;		/* DEVLINK_ESWITCH_MODE_*: legacy each time the PF is bound */
};

static struct fw_memory *memory_of(struct pci_dev *pdev)
{
	struct fw_memory *m;

	mutex_lock(&memories_lock);
	list_for_each_entry(m, &memories, list)
		if (m->domain == pci_domain_nr(pdev->bus) && m->bus == pdev->bus->number && m->devfn == pdev->devfn)
			goto found;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		goto found;
	m->domain = pci_domain_nr(pdev->bus);
	m->bus = pdev->bus->number;
	m->devfn = pdev->devfn;
	m->hardware = pci_sriov_get_totalvfs(pdev);
	m->total = lab_fw_vfs;
	m->enable = true;
	list_add(&m->list, &memories);
found:
	mutex_unlock(&memories_lock);
	return m;
}

static int fw_get(struct devlink *devlink, u32 id, struct devlink_param_gset_ctx *ctx
#if LAB_PARAM_GET_EXTACK
		  , struct netlink_ext_ack *extack
#endif
		  )
{
	struct fw_memory *m = ((struct lab_firmware *)devlink_priv(devlink))->memory;

	if (id == FW_ENABLE_ID)
		ctx->val.vbool = m->enable;
	else
		ctx->val.vu32 = m->total;
	return 0;
}

static int fw_set(struct devlink *devlink, u32 id, struct devlink_param_gset_ctx *ctx
#if LAB_PARAM_SET_EXTACK
		  , struct netlink_ext_ack *extack
#endif
		  )
{
	struct fw_memory *m = ((struct lab_firmware *)devlink_priv(devlink))->memory;

	if (id == FW_ENABLE_ID) {
		m->enable = ctx->val.vbool;
		return 0;
	}
	if (ctx->val.vu32 > m->hardware) {
#if LAB_PARAM_SET_EXTACK
		NL_SET_ERR_MSG_FMT_MOD(extack, "Max allowed by device is %d", m->hardware);
#endif
		return -EINVAL;
	}
	m->total = ctx->val.vu32;
	return 0;
}

static const struct devlink_param fw_params[] = {
	DEVLINK_PARAM_GENERIC(ENABLE_SRIOV, BIT(DEVLINK_PARAM_CMODE_PERMANENT), fw_get, fw_set, NULL),
	{
		.id = FW_TOTAL_ID,
		.name = "total_vfs",
		.generic = FW_TOTAL_IS_GENERIC,
		.type = DEVLINK_PARAM_TYPE_U32,
		.supported_cmodes = BIT(DEVLINK_PARAM_CMODE_PERMANENT),
		.get = fw_get,
		.set = fw_set,
	},
};

/* An InfiniBand port has no switch, and no mode changes under a VF that has a driver: what mlx5's users have to keep to. */
static int fw_mode_get(struct devlink *devlink, u16 *mode)
{
	if (lab_mode_is_eth()) {
		*mode = ((struct lab_firmware *)devlink_priv(devlink))->mode;
		return 0;
	}
	return -EOPNOTSUPP;
}

static int fw_mode_set(struct devlink *devlink, u16 mode, struct netlink_ext_ack *extack)
{
	struct lab_fn *fn = pci_get_drvdata(to_pci_dev(devlink_to_dev(devlink)));
	struct lab_pf *pf = fn ? fn->pf : NULL;
	bool busy = !pf;
	int i;

	if (!lab_mode_is_eth())
		return -EOPNOTSUPP;
	if (mode != DEVLINK_ESWITCH_MODE_LEGACY && mode != DEVLINK_ESWITCH_MODE_SWITCHDEV)
		return -EINVAL;
	if (pf) {
		mutex_lock(&pf->lock);
		for (i = 0; i < pf->num_vfs; i++)
			busy |= pf->vf[i].fn != NULL;
		mutex_unlock(&pf->lock);
	}
	if (busy) {
		NL_SET_ERR_MSG_MOD(extack, "VFs have drivers");
		return -EBUSY;
	}
	((struct lab_firmware *)devlink_priv(devlink))->mode = mode;
	return 0;
}

static const struct devlink_ops fw_ops = {
	.eswitch_mode_get = fw_mode_get,
	.eswitch_mode_set = fw_mode_set,
};

/* Called before the PF's table is made: it has room for as many VFs as the firmware offers. */
int lab_firmware_add(struct pci_dev *pdev, struct devlink **made)
{
	struct lab_firmware *fw;
	struct devlink *devlink;
	struct fw_memory *m;
	int err;

	*made = NULL;
	if (!lab_fw_vfs)
		return 0;
	m = memory_of(pdev);
	if (!m)
		return -ENOMEM;
	devlink = devlink_alloc(&fw_ops, sizeof(*fw), &pdev->dev);
	if (!devlink)
		return -ENOMEM;
	fw = devlink_priv(devlink);
	fw->memory = m;
	fw->mode = DEVLINK_ESWITCH_MODE_LEGACY;
	err = devlink_params_register(devlink, fw_params, ARRAY_SIZE(fw_params));
	if (err) {
		devlink_free(devlink);
		return err;
	}
	pci_sriov_set_totalvfs(pdev, m->enable ? min_t(int, m->total, m->hardware) : 0);
	devlink_register(devlink);
	*made = devlink;
	return 0;
}

void lab_firmware_remove(struct pci_dev *pdev, struct devlink *devlink)
{
	struct lab_firmware *fw;

	if (!devlink)
		return;
	fw = devlink_priv(devlink);
	devlink_unregister(devlink);
	devlink_params_unregister(devlink, fw_params, ARRAY_SIZE(fw_params));
	pci_sriov_set_totalvfs(pdev, fw->memory->hardware);
	devlink_free(devlink);
}

void lab_firmware_exit(void)
{
	struct fw_memory *m, *next;

	list_for_each_entry_safe(m, next, &memories, list)
		kfree(m);
}
