#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The guest's first and only own program: it brings up the machine with the host's files over 9p,
# read-only below an overlay in memory, and then runs what comes in by the virtio-serial port, a
# shell script a line in base64. It answers with a line "STATUS BYTES" and what the script wrote.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
	insmod "/modules/$module" || echo "init: $module does not load"
done </modules/list

mount -t tmpfs tmpfs /memory
mkdir /memory/upper /memory/work /memory/pmds
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose root /host
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root
for folder in proc sys dev; do
	mount --move /$folder /root/$folder
done
mkdir -p /root/dev/hugepages /root/dev/pts /root/run
mount -t hugetlbfs hugetlbfs /root/dev/hugepages
mount -t tmpfs tmpfs /root/run

# DPDK loads every driver of its folder, a hundred: leave it those of this machine's NICs. Each stays
# one file with links: a copy would be a second driver of the same name, which DPDK dies of.
for drivers in /root/usr/lib/*/dpdk/pmds-*; do
	for driver in bus_pci bus_vdev mempool_ring mempool_stack net_e1000 net_ring net_virtio; do
		cp -d "$drivers/librte_$driver.so"* /memory/pmds
	done
	mount --bind /memory/pmds "$drivers"
done
ip link set lo up

exec 3<>"/root/dev/$(basename "$(dirname "$(grep -lx twinroute /root/sys/class/virtio-ports/*/name)")")"
echo "0 0" >&3
while read -r line <&3; do
	echo "$line" | base64 -d >/root/run/command
	chroot /root /bin/sh /run/command >/memory/out 2>&1 </root/dev/null
	echo "$? $(stat -c %s /memory/out)" >&3
	cat /memory/out >&3
done
