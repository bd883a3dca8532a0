// SPDX-License-Identifier: GPL-2.0
/*
 * Refusing a namespace move of a chosen device with a chosen errno.
 *
 * The core offers a driver no say in a move beyond "never" (no disassociate_ucontext). So the core's entry point is
 * redirected at its first instruction, and only for the call that is to fail: that caller goes to move_refused()
 * instead, which does what the core does on every refusal (drops the reference it was given) and returns the errno.
 * Devices that come home because their namespace ends do not pass there, and are never refused.
 */
#include <linux/kprobes.h>

#include "rdmalab.h"

/* Set by the redirect for the caller it redirects. One move is in flight with a fault armed; tests arm one at a time. */
static int refusal;

/* Takes the first arguments of ib_device_set_netns_put(), in their registers; later kernels have added more. */
static noinline int move_refused(struct sk_buff *skb, struct ib_device *ibdev)
{
	ib_device_put(ibdev);
	return READ_ONCE(refusal);
}

static int move_entered(struct kprobe *kp, struct pt_regs *regs)
{
	struct ib_device *ibdev = (struct ib_device *)regs->si;
	int err, who;

	if (!lab_is_ours(ibdev))
		return 0;
	who = lab_fn_of(ibdev)->kind == LAB_VF ? lab_fn_of(ibdev)->vf : LAB_FAULT_PF;
	err = lab_fault_hit(&lab_fail_move, who);
	if (!err)
		return 0;
	WRITE_ONCE(refusal, err);
	instruction_pointer_set(regs, (unsigned long)move_refused);
	return 1;
}

/* Its presence alone matters: such a probe is never turned into a jump, whose handler could not redirect. */
static void move_passed(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe move_probe = {
	.symbol_name = "ib_device_set_netns_put",
	.pre_handler = move_entered,
	.post_handler = move_passed,
};

static bool probing;

/* Without it everything else works: said, and no reason not to load. */
int lab_move_init(void)
{
	int err = register_kprobe(&move_probe);

	if (err)
		pr_warn("rdmalab: fail_move has no effect here (%d)\n", err);
	probing = !err;
	return 0;
}

void lab_move_exit(void)
{
	if (probing)
		unregister_kprobe(&move_probe);
}
