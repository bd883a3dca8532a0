// SPDX-License-Identifier: GPL-2.0
/*
 * A simulated SR-IOV RDMA adapter on emulated PCI devices, for tests in a guest.
 *
 * It has no data path, no firmware and no subnet manager; it has everything an administrator's tool sees of one:
 * PCI functions, ib_devices that change namespace, netdevs, per-VF settings, character devices, counters, faults.
 */
#include <linux/kmod.h>

#include "rdmalab.h"

/* The netdev comes first, so that the ib_device is born with it, and goes last, so that it is never left without. */
int lab_fn_start(struct lab_fn *fn)
{
	int err;

	if (fn->pf->eth) {
		err = lab_eth_add(fn);
		if (err)
			return err;
	}
	err = lab_ibdev_add(fn);
	if (err)
		lab_eth_remove(fn);
	return err;
}

void lab_fn_stop(struct lab_fn *fn)
{
	lab_ibdev_remove(fn);
	lab_eth_remove(fn);
}

static int __init lab_init(void)
{
	int err;

	/* A real driver pulls uverbs in by its symbols; insmod would not. Without it there are no character devices. */
	request_module("ib_uverbs");

	lab_counters_init();
	err = lab_move_init();
	if (err)
		return err;
	err = lab_ipoib_init();
	if (err)
		goto no_move;
	err = lab_child_init();
	if (err)
		goto no_ipoib;
	err = lab_sf_init();
	if (err)
		goto no_child;
	err = pci_register_driver(&lab_pci_driver);
	if (err)
		goto no_sf;
	return 0;

no_sf:
	lab_sf_exit();
no_child:
	lab_child_exit();
no_ipoib:
	lab_ipoib_exit();
no_move:
	lab_move_exit();
	return err;
}

static void __exit lab_exit(void)
{
	pci_unregister_driver(&lab_pci_driver);
	lab_firmware_exit();
	lab_sf_exit();
	lab_child_exit();
	lab_ipoib_exit();
	lab_move_exit();
	lab_counters_exit();
}

module_init(lab_init);
module_exit(lab_exit);

MODULE_DESCRIPTION("simulated SR-IOV RDMA adapter for tests");
MODULE_AUTHOR("rdmactl contributors");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: ib_uverbs");
