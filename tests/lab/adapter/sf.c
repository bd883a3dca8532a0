// SPDX-License-Identifier: GPL-2.0
/* Sub-functions: auxiliary devices mlx5_core.sf.N below the PF, each with an ib_device and netdev of its own. */
#include <linux/idr.h>
#include <linux/slab.h>

#include "rdmalab.h"

struct lab_sf {
	struct auxiliary_device adev;
	struct lab_pf *pf;
	unsigned int sfnum;
};

static DEFINE_IDA(sf_ids);	/* N of mlx5_core.sf.N counts over all PFs */

static ssize_t sfnum_show(struct device *d, struct device_attribute *attr, char *buf)
{
	struct lab_sf *sf = container_of(to_auxiliary_dev(d), struct lab_sf, adev);

	return sysfs_emit(buf, "%u\n", sf->sfnum);
}
static DEVICE_ATTR_RO(sfnum);

static struct attribute *sf_attrs[] = { &dev_attr_sfnum.attr, NULL };
ATTRIBUTE_GROUPS(sf);

/* ---- driver ---- */

static int sf_probe(struct auxiliary_device *adev, const struct auxiliary_device_id *id)
{
	struct lab_sf *sf = container_of(adev, struct lab_sf, adev);
	struct lab_fn *fn = kzalloc(sizeof(*fn), GFP_KERNEL);
	int err;

	if (!fn)
		return -ENOMEM;
	fn->kind = LAB_SF;
	fn->vf = -1;
	fn->pf = sf->pf;
	fn->pdev = sf->pf->fn->pdev;
	fn->parent = &adev->dev;
	lab_sf_ids(fn, sf->pf, sf->sfnum);
	err = lab_fn_start(fn);
	if (err) {
		kfree(fn);
		return err;
	}
	auxiliary_set_drvdata(adev, fn);
	return 0;
}

static void sf_remove(struct auxiliary_device *adev)
{
	struct lab_fn *fn = auxiliary_get_drvdata(adev);

	lab_fn_stop(fn);
	kfree(fn);
}

static const struct auxiliary_device_id sf_match[] = {
	{ .name = LAB_DRIVER ".sf" },
	{ }
};

static struct auxiliary_driver sf_driver = {
	.name = "sf",
	.probe = sf_probe,
	.remove = sf_remove,
	.id_table = sf_match,
};

int lab_sf_init(void)
{
	return __auxiliary_driver_register(&sf_driver, THIS_MODULE, LAB_DRIVER);
}

void lab_sf_exit(void)
{
	auxiliary_driver_unregister(&sf_driver);
	ida_destroy(&sf_ids);
}

/* ---- devices ---- */

static void sf_release(struct device *d)
{
	struct auxiliary_device *adev = to_auxiliary_dev(d);

	ida_free(&sf_ids, adev->id);
	kfree(container_of(adev, struct lab_sf, adev));
}

static int sf_add(struct lab_pf *pf, unsigned int sfnum)
{
	struct lab_sf *sf = kzalloc(sizeof(*sf), GFP_KERNEL);
	struct auxiliary_device *adev;
	int id, err;

	if (!sf)
		return -ENOMEM;
	id = ida_alloc_min(&sf_ids, 2, GFP_KERNEL);	/* mlx5's own first SF is 2 more often than not */
	if (id < 0) {
		kfree(sf);
		return id;
	}
	sf->pf = pf;
	sf->sfnum = sfnum;
	adev = &sf->adev;
	adev->id = id;
	adev->name = "sf";
	adev->dev.parent = pf->fn->parent;
	adev->dev.release = sf_release;
	adev->dev.groups = sf_groups;
	err = auxiliary_device_init(adev);
	if (err) {
		ida_free(&sf_ids, id);
		kfree(sf);
		return err;
	}
	err = __auxiliary_device_add(adev, LAB_DRIVER);
	if (err) {
		auxiliary_device_uninit(adev);
		return err;
	}
	pf->sf[sfnum] = sf;
	return 0;
}

int lab_sfs_add(struct lab_pf *pf)
{
	unsigned int i, count = min_t(unsigned int, lab_sfs, LAB_MAX_SFS);
	int err;

	for (i = 0; i < count; i++) {
		err = sf_add(pf, i);
		if (err) {
			lab_sfs_remove(pf);
			return err;
		}
	}
	return 0;
}

void lab_sfs_remove(struct lab_pf *pf)
{
	int i;

	for (i = LAB_MAX_SFS - 1; i >= 0; i--) {
		struct lab_sf *sf = pf->sf[i];

		if (!sf)
			continue;
		pf->sf[i] = NULL;
		auxiliary_device_delete(&sf->adev);
		auxiliary_device_uninit(&sf->adev);
	}
}
