/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A user of an RDMA device: opens a context, makes a PD, MR, CQ, SRQ and QPs, says what it has and keeps it until its
 * standard input ends. libibverbs cannot: it has no provider for the simulated adapter.
 *
 *   uverbs-client /dev/infiniband/uverbsN [QPS [NETNS]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <rdma/ib_user_verbs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fd;
static char memory[8192];

/* cmd is a whole request: header, then the command's own fields, whose first is the address of the response. */
#define CALL(number, name, cmd, resp) call(number, name, &(cmd), sizeof(cmd), sizeof(resp))

static void call(uint32_t number, const char *name, void *cmd, size_t cmd_len, size_t resp_len)
{
	char buf[512];
	struct ib_uverbs_cmd_hdr hdr = {
		.command = number,
		.in_words = (sizeof(hdr) + cmd_len) / 4,
		.out_words = resp_len / 4,
	};

	memcpy(buf, &hdr, sizeof(hdr));
	memcpy(buf + sizeof(hdr), cmd, cmd_len);
	if (write(fd, buf, sizeof(hdr) + cmd_len) < 0) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int qps = argc > 2 ? atoi(argv[2]) : 1;
	char c;

	if (argc < 2 || (fd = open(argv[1], O_RDWR)) < 0) {
		printf("open: %s\n", argc < 2 ? "which device?" : strerror(errno));
		return 1;
	}
	/* a device may stay open in a process that has left its network namespace */
	if (argc > 3 && setns(open(argv[3], O_RDONLY), CLONE_NEWNET)) {
		printf("setns: %s\n", strerror(errno));
		return 1;
	}

	struct ib_uverbs_get_context_resp ctx_resp = { 0 };
	struct ib_uverbs_get_context ctx = { .response = (uintptr_t)&ctx_resp };
	CALL(IB_USER_VERBS_CMD_GET_CONTEXT, "get_context", ctx, ctx_resp);

	struct ib_uverbs_alloc_pd_resp pd_resp = { 0 };
	struct ib_uverbs_alloc_pd pd = { .response = (uintptr_t)&pd_resp };
	CALL(IB_USER_VERBS_CMD_ALLOC_PD, "alloc_pd", pd, pd_resp);

	struct ib_uverbs_reg_mr_resp mr_resp = { 0 };
	struct ib_uverbs_reg_mr mr = {
		.response = (uintptr_t)&mr_resp, .start = (uintptr_t)memory, .hca_va = (uintptr_t)memory,
		.length = sizeof(memory), .pd_handle = pd_resp.pd_handle, .access_flags = 1,
	};
	CALL(IB_USER_VERBS_CMD_REG_MR, "reg_mr", mr, mr_resp);

	struct ib_uverbs_create_cq_resp cq_resp = { 0 };
	struct ib_uverbs_create_cq cq = { .response = (uintptr_t)&cq_resp, .cqe = 64, .comp_channel = -1 };
	CALL(IB_USER_VERBS_CMD_CREATE_CQ, "create_cq", cq, cq_resp);

	struct ib_uverbs_create_srq_resp srq_resp = { 0 };
	struct ib_uverbs_create_srq srq = {
		.response = (uintptr_t)&srq_resp, .pd_handle = pd_resp.pd_handle, .max_wr = 16, .max_sge = 1,
	};
	CALL(IB_USER_VERBS_CMD_CREATE_SRQ, "create_srq", srq, srq_resp);

	printf("pid %d lkey 0x%x cqe %u srqn %u qpn", getpid(), mr_resp.lkey, cq_resp.cqe, srq_resp.srqn);
	for (int i = 0; i < qps; i++) {
		struct ib_uverbs_create_qp_resp qp_resp = { 0 };
		struct ib_uverbs_create_qp qp = {
			.response = (uintptr_t)&qp_resp, .pd_handle = pd_resp.pd_handle, .send_cq_handle = cq_resp.cq_handle,
			.recv_cq_handle = cq_resp.cq_handle, .srq_handle = srq_resp.srq_handle, .max_send_wr = 16,
			.max_send_sge = 1, .qp_type = 2 /* RC */, .is_srq = 1,
		};
		CALL(IB_USER_VERBS_CMD_CREATE_QP, "create_qp", qp, qp_resp);

		/* to INIT: state, access flags, P_Key index and port, which is when counters are bound on their own */
		struct ib_uverbs_modify_qp mod = {
			.qp_handle = qp_resp.qp_handle, .attr_mask = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5, .qp_state = 1, .port_num = 1,
		};
		call(IB_USER_VERBS_CMD_MODIFY_QP, "modify_qp", &mod, sizeof(mod), 0);
		printf(" %u", qp_resp.qpn);
	}
	printf("\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
