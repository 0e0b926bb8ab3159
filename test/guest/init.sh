#!/bin/busybox sh
# The guest's first process: loads the drivers, mounts the host's root read-only and the exchange folder over it, and runs
# the script that the test left there.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
exchange=$(sed -n 's/.*iris\.exchange=\([^ ]*\).*/\1/p' /proc/cmdline)
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host || poweroff -f
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 exchange "/host$exchange" || poweroff -f
for kind in proc sys dev; do mount --move /$kind /host/$kind; done
chroot /host /bin/sh "$exchange/run.sh" 2>&1
poweroff -f
