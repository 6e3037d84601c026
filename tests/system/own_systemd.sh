#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A systemd of our own, for the units: with this machine's files, what it writes in a tmpfs at FOLDER, namespaces of its own for
# all but the network, and cgroups in one that is named after FOLDER.
#
#   own_systemd.sh boot FOLDER BUILD   installs BUILD, gives the exit code 77 and the reason where that cannot be, else becomes it
#   own_systemd.sh clean FOLDER        once it has ended
set -euo pipefail
action=$1 folder=$2 build=${3:-}

cannot() { echo "$*" >&2; exit 77; }

# The machine's cgroups at FOLDER/cgroup, for this process.
mount_cgroups() {
  mkdir -p "$folder/cgroup"
  mount -t cgroup2 cgroup2 "$folder/cgroup" || cannot "no cgroup2 here"
}

enter_namespaces() {
  [[ -x /lib/systemd/systemd ]] || cannot "no systemd here"
  mount --make-rprivate /
  mount -t tmpfs tmpfs "$folder"
  mount_cgroups
  mkdir "$folder/cgroup/${folder##*/}"
  echo $$ >"$folder/cgroup/${folder##*/}/cgroup.procs"
  umount "$folder/cgroup"
  exec unshare --fork --kill-child --pid --cgroup --ipc --uts --mount "$0" inside "$folder" "$build"
}

mount_root() {
  mkdir "$folder"/{upper,work,root}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root" || cannot "no overlay file systems here"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  # The machine's settings are not this systemd's.
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,bind,ro "$root/proc/sys"
  mount -o remount,bind,ro "$root/sys"
  mount -t tmpfs tmpfs "$root/run"
  mount -t tmpfs tmpfs "$root/tmp"
}

make_devices() {
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root"/dev/{shm,pts,mqueue,hugepages}
  ln -s pts/ptmx "$root/dev/ptmx"
  local name minor
  while read -r name minor; do
    mknod -m 666 "$root/dev/$name" c 1 "$minor"
  done <<<"null 3
zero 5
full 7
random 8
urandom 9"
  mknod -m 666 "$root/dev/tty" c 5 0
}

# As docs/operations.md says, and a target that asks for nothing of this machine but the journal.
install_turnpike() {
  DESTDIR=$root cmake --install "$build" >/dev/null
  chroot "$root" systemd-sysusers turnpike.conf
  cat >"$root/etc/systemd/system/turnpike-test.target" <<'UNIT'
[Unit]
Wants=systemd-journald.service
After=systemd-journald.service
UNIT
}

become_systemd() {
  root=$folder/root
  mount_root
  make_devices
  install_turnpike
  cd "$root"
  mkdir -p run/machine
  pivot_root . run/machine
  umount -l /run/machine
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=turnpike-test \
    /lib/systemd/systemd --system --unit=turnpike-test.target --log-target=journal --show-status=0
}

case $action in
  boot) enter_namespaces ;;
  inside) become_systemd ;;
  clean)
    if [[ -z $build ]]; then
      exec unshare --mount "$0" clean "$folder" inside
    fi
    mount_cgroups
    [[ ! -d $folder/cgroup/${folder##*/} ]] || find "$folder/cgroup/${folder##*/}" -depth -type d -exec rmdir {} +
    ;;
esac
