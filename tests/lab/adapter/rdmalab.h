/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated SR-IOV RDMA adapter: what the parts share.
 *
 * Locks, outermost first: device lock of a PCI function > (rtnl) > lab_pf.lock.
 * Nothing that takes rtnl or waits for an ib_device is called under lab_pf.lock.
 */
#ifndef RDMALAB_H
#define RDMALAB_H

#include <linux/auxiliary_bus.h>
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/version.h>
#include <rdma/ib_verbs.h>

#define LAB_DRIVER	"mlx5_core"	/* what users see behind `driver` */
#define LAB_FW		"20.43.1014"
#define LAB_PORT	1
#define LAB_MAX_SFS	64
#define LAB_MAX_IBDEVS	4

/* Kernel differences, all of them; each use names one of these. */
#define LAB_HAS_SUB_DEV		(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0))
#define LAB_CQ_TAKES_ATTRS	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0))
#define LAB_IPOIB_IN_DEVICE_NS	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0))
#define LAB_NEWLINK_PARAMS	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))
#define LAB_COUNTER_OBJECT	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))
#define LAB_HAS_DMAH		(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0))
#define LAB_PARAM_SET_EXTACK	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0))
#define LAB_PARAM_GET_EXTACK	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0))
#define LAB_CREATE_USER_CQ	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0))
#define LAB_HAS_FRMR_POOLS	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0))

enum lab_kind { LAB_PF, LAB_VF, LAB_SF };

/* What the adapter's firmware would remember of VF n, bound or not. Under lab_pf.lock. */
struct lab_vf {
	u64 node_guid;
	u64 port_guid;
	u8 mac[ETH_ALEN];
	u16 vlan;
	u8 qos;
	u32 min_rate;
	u32 max_rate;
	int link_state;		/* IFLA_VF_LINK_STATE_* */
	bool spoofchk;
	bool trust;
	bool rss_query;
	struct lab_fn *fn;	/* the bound function, or NULL */
};

struct devlink;
struct lab_vendor;
struct lab_sf;

/* One adapter: made when the PF is bound, outlives its VFs and SFs. */
struct lab_pf {
	struct mutex lock;	/* num_vfs, vf[] */
	struct lab_fn *fn;	/* the PF itself */
	unsigned int index;
	bool eth;
	struct lab_vendor *vendor;
	struct devlink *devlink;	/* when its firmware has settings */
	struct lab_sf *sf[LAB_MAX_SFS];
	int num_vfs;
	int total_vfs;
	struct lab_vf vf[];
};

/* One function: a PF, VF or SF with its ib_device and netdev. */
struct lab_fn {
	enum lab_kind kind;
	int vf;			/* index of a VF, else -1 */
	struct lab_pf *pf;
	struct pci_dev *pdev;
	struct device *parent;	/* of ib_device and netdev: pdev or the auxiliary device */
	u64 node_guid;
	u64 port_guid;
	u8 mac[ETH_ALEN];	/* zero: random at each probe, as a VF nobody gave one */
	u16 lid;
	struct ib_device *ibdev;
	struct ib_device *further[LAB_MAX_IBDEVS - 1];	/* of a VF, when asked for */
	struct net_device *eth;	/* Ethernet mode only */
};

/* ib_device and its way back. Sub-devices have one too, of the same function. */
struct lab_ibdev {
	struct ib_device ib;
	struct lab_fn *fn;
	bool sub;
	struct ida qpns;
	atomic_t keys;
	struct ib_mr own_mr;	/* in a pool, where the kernel has pools */
};

static inline struct lab_fn *lab_fn_of(const struct ib_device *ibdev)
{
	return container_of(ibdev, struct lab_ibdev, ib)->fn;
}

/* ---- params.c ---- */

/* An injected failure: for one VF, the PF or all, with an errno, for a number of times or for ever. */
struct lab_fault {
	int vf;			/* LAB_FAULT_OFF, LAB_FAULT_PF, LAB_FAULT_ALL or an index */
	int err;		/* positive */
	int left;		/* -1: for ever */
};

enum { LAB_FAULT_OFF = -1, LAB_FAULT_PF = -2, LAB_FAULT_ALL = -3 };

extern struct lab_fault lab_fail_probe, lab_fail_guid, lab_fail_mac, lab_fail_link, lab_fail_port, lab_fail_move, lab_fail_numvfs;
extern unsigned int lab_probe_delay_ms, lab_remove_delay_ms, lab_numvfs_delay_ms, lab_guid_delay_ms, lab_sfs, lab_driver_id, lab_ibdevs, lab_fw_vfs;
extern unsigned long long lab_guid_base, lab_stat_base;
extern int lab_total_vfs;
extern unsigned short lab_pkey;
extern bool lab_nomove, lab_vf_guids, lab_keep_guids, lab_vendor_sysfs;

bool lab_mode_is_eth(void);
bool lab_ipoib_in_device_ns(void);
bool lab_port_forced_down(int vf);
int lab_ipoib_wanted(void);
int lab_fault_hit(struct lab_fault *fault, int vf);	/* 0 or -errno */
void lab_delay(unsigned int *ms);

/* ---- pci.c ---- */
extern struct pci_driver lab_pci_driver;
void lab_links_changed(struct lab_pf *pf);
void lab_all_links_changed(void);

/* ---- ibdev.c ---- */
int lab_ibdev_add(struct lab_fn *fn);
void lab_ibdev_remove(struct lab_fn *fn);
bool lab_is_ours(const struct ib_device *ibdev);	/* and the device of a function, no sub-device */
bool lab_link_up(const struct lab_fn *fn);

/* ---- verbs.c, counters.c ---- */
extern const struct ib_device_ops lab_verbs_ops;
extern const struct ib_device_ops lab_counter_ops;
void lab_counters_init(void);
void lab_counters_exit(void);

/* ---- frmr.c ---- */
#if LAB_HAS_FRMR_POOLS
int lab_frmr_init(struct ib_device *ibdev);
void lab_frmr_exit(struct ib_device *ibdev);
int lab_frmr_take(struct ib_device *ibdev, struct ib_mr *mr, u64 length, int access);
void lab_frmr_give(struct ib_mr *mr);
#else
static inline int lab_frmr_init(struct ib_device *ibdev) { return 0; }
static inline void lab_frmr_exit(struct ib_device *ibdev) { }
static inline int lab_frmr_take(struct ib_device *ibdev, struct ib_mr *mr, u64 length, int access) { return 0; }
static inline void lab_frmr_give(struct ib_mr *mr) { }
#endif

/* ---- vf.c: the PF's table ---- */
void lab_vf_wipe(struct lab_pf *pf);
int lab_vf_take(struct lab_pf *pf, int vf, struct lab_fn *fn);
void lab_vf_bound(struct lab_pf *pf, int vf, struct lab_fn *fn);
int lab_vf_set_guid(struct lab_pf *pf, int vf, u64 guid, bool port);
int lab_vf_get_guid(struct lab_pf *pf, int vf, u64 *node, u64 *port);
int lab_vf_set_mac(struct lab_pf *pf, int vf, const u8 *mac);
int lab_vf_set_vlan(struct lab_pf *pf, int vf, u16 vlan, u8 qos, __be16 proto);
int lab_vf_set_rate(struct lab_pf *pf, int vf, int min, int max);
int lab_vf_set_link(struct lab_pf *pf, int vf, int state);
int lab_vf_set_flag(struct lab_pf *pf, int vf, size_t offset, bool on);
int lab_vf_config(struct lab_pf *pf, int vf, struct ifla_vf_info *info);
int lab_vf_stats(struct lab_pf *pf, int vf, struct ifla_vf_stats *stats);
extern const struct ib_device_ops lab_vf_ib_ops;

/* ---- netdev.c, ipoib.c ---- */
int lab_eth_add(struct lab_fn *fn);
void lab_eth_remove(struct lab_fn *fn);
void lab_eth_link_changed(struct lab_fn *fn);
int lab_ipoib_init(void);
void lab_ipoib_exit(void);
void lab_ipoib_mode_changed(void);
void lab_ipoib_setup(struct net_device *dev);
bool lab_is_ipoib(const struct net_device *dev);

/* child.c */
int lab_child_init(void);
void lab_child_exit(void);
void lab_children_remove(struct net_device *below);

/* ---- vendor.c ---- */
int lab_vendor_add(struct lab_pf *pf);
void lab_vendor_remove(struct lab_pf *pf);

/* ---- firmware.c ---- */
int lab_firmware_add(struct pci_dev *pdev, struct devlink **made);
void lab_firmware_remove(struct pci_dev *pdev, struct devlink *devlink);
void lab_firmware_exit(void);

/* ---- sf.c, move.c ---- */
int lab_sf_init(void);
void lab_sf_exit(void);
int lab_sfs_add(struct lab_pf *pf);
void lab_sfs_remove(struct lab_pf *pf);
void lab_sf_ids(struct lab_fn *fn, struct lab_pf *pf, unsigned int sfnum);
int lab_move_init(void);
void lab_move_exit(void);

/* ---- main.c: a function from birth to end ---- */
int lab_fn_start(struct lab_fn *fn);
void lab_fn_stop(struct lab_fn *fn);

#endif
