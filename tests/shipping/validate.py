"""Checks Kubernetes objects on stdin against the strict schemas of the oldest and the newest version at hand.

OLDEST in the environment names a later version, for objects that need one.
"""

import json
import os
import sys

import kubernetes_validate
import yaml

VERSIONS = (os.environ.get("OLDEST", "1.25"), "1.37")

# Objects of Multus, whose schema Kubernetes does not publish; the plugins' own tests read their configurations.
FOREIGN = {("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition")}

objects = [o for o in yaml.safe_load_all(sys.stdin) if o is not None]
wrong = 0
for o in objects:
    kind = (o.get("apiVersion"), o.get("kind"))
    if kind in FOREIGN:
        continue
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(o, version, strict=True)
        except Exception as error:  # whatever is raised, the object has not been found sound
            wrong += 1
            name = o.get("metadata", {}).get("name")
            print(f"{kind[1]} {name}, Kubernetes {version}: {error!r:.400}", file=sys.stderr)
json.dump(objects, sys.stdout)
sys.exit(1 if wrong else 0)
