#!/bin/bash
# Boots a system: its own systemd as process 1, in namespaces of its own. It sees the template and what it writes
# itself, into FOLDER/changes, and nothing of this machine. Ends when process 1 is killed.
#
#   boot.sh TEMPLATE FOLDER CGROUP            with the network of the caller
#   boot.sh TEMPLATE FOLDER CGROUP --net      with a network of its own, which is still empty
set -eu
template=$1 folder=$2 cgroup=$3
shift 3

# A control group that the caller has made is all that systemd sees of them.
echo $$ > "$cgroup/cgroup.procs"
exec unshare "$@" --mount --pid --cgroup --uts --ipc --fork --kill-child --propagation private \
    bash -eu -c '
template=$1 folder=$2 root=$2/root
mount -t overlay -o "lowerdir=$template,upperdir=$folder/changes,workdir=$folder/work" overlay "$root"
mount -t proc proc "$root/proc"
# The settings of the kernel are those of the machine outside.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside
hostname "$(cat /etc/hostname)"
exec env -i container=portolan-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
' boot "$template" "$folder"
