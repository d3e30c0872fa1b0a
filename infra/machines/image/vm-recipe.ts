/**
 * The recipe of a virtual machine: the host of system containers with a kernel, and a minimal start of its own. Under
 * emulation each program that runs at the start costs a tenth of a second or more.
 */
import { startFiles } from './disk.ts';
import { hostRecipe, type Recipe } from './image.ts';

/** The drivers of the devices that a machine has. The kernel asks for later ones itself. */
const drivers = ['virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_rng'];

const session = ['sh', 'mount', 'umount', 'insmod', 'ip', 'find', 'mkdir', 'rm', 'cp', 'poweroff', 'switch_root'];

/**
 * The first program. It loads the drivers, lays the machine's own files over the disk's, brings up the network and
 * hands over to systemd. A machine whose start fails here powers off: nobody would see it wait.
 */
const firstProgram = `#!/bin/sh
fail() { echo "lockage: $1"; poweroff -f; }
mount -t devtmpfs dev /dev || fail "no devices"
exec > /dev/console 2>&1
while read -r driver; do insmod "/drivers/$driver" || fail "the driver $driver does not load"; done < /drivers/order
mount -t ext4 -o noatime /dev/vda /root || fail "there is no disk that can be read"
cd /machine/files
find . -type f | while read -r file; do
  mkdir -p "/root/\${file%/*}" && rm -f "/root/$file" && cp -p "$file" "/root/$file" || fail "$file cannot be written"
done
. /machine/network || fail "there is no network"
cd /
umount /dev
exec switch_root /root /sbin/init
`;

/** A unit that grows the file system, which has the image's size, to its machine's disk. */
const growUnit = `[Unit]
Description=the whole of the disk is used
[Service]
Type=oneshot
ExecStart=/sbin/resize2fs /dev/vda
[Install]
WantedBy=multi-user.target
`;

/**
 * The units that are not needed: nobody logs in at a console, devices and accounts are known beforehand, and nothing
 * is mounted by hand.
 */
const unusedUnits = [
  ...['systemd-udevd.service', 'systemd-udevd-control.socket', 'systemd-udevd-kernel.socket'],
  ...['systemd-udev-trigger.service', 'systemd-logind.service', 'getty.target', 'remote-fs.target'],
  ...['systemd-sysusers.service', 'systemd-firstboot.service', 'systemd-repart.service', 'systemd-pstore.service'],
  ...['systemd-pcrphase.service', 'systemd-pcrphase-sysinit.service', 'systemd-binfmt.service'],
  ...['systemd-network-generator.service', 'systemd-modules-load.service'],
  ...['systemd-update-utmp.service', 'systemd-update-utmp-runlevel.service'],
  ...['systemd-ask-password-wall.path', 'systemd-ask-password-console.path'],
  ...['proc-sys-fs-binfmt_misc.automount', 'sys-kernel-config.mount', 'sys-kernel-debug.mount'],
  ...['sys-kernel-tracing.mount', 'sys-fs-fuse-connections.mount', 'dev-hugepages.mount'],
  ...['e2scrub_reap.service', 'e2scrub_all.timer', 'dpkg-db-backup.timer'],
  // A Docker Engine loads the profile of its containers itself.
  'apparmor.service',
];

export const vmRecipe: Recipe = {
  // Without AppArmor's programs a Docker Engine under this kernel starts no container.
  packages: [...hostRecipe.packages, 'linux-image-cloud-amd64', 'apparmor', 'busybox-static', 'e2fsprogs'],
  customize: [
    ...hostRecipe.customize,
    'install -d -m 700 "$1/root/.ssh"',
    ...written('$1/etc/systemd/system/lockage-disk.service', growUnit),
    'chroot "$1" systemctl --quiet enable lockage-disk.service',
    `chroot "$1" systemctl --quiet mask ${unusedUnits.join(' ')}`,
    ...initrd(),
  ],
  bootable: true,
};

/** Returns shell lines that make the first files of a machine's start, and put the kernel beside them. */
function initrd(): string[] {
  return [
    'version="$(basename "$1"/lib/modules/*)"',
    'start="$1/tmp/start"',
    'mkdir -p "$start/bin" "$start/drivers" "$start/dev" "$start/root"',
    'cp "$1/bin/busybox" "$start/bin/busybox"',
    `for tool in ${session.join(' ')}; do ln -s busybox "$start/bin/$tool"; done`,
    `for driver in ${drivers.join(' ')}; do chroot "$1" modprobe --show-depends -S "$version" "$driver"; done |`,
    `  awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do`,
    '  name="$(basename "$module" .xz)"',
    // Later releases of Debian have them compressed.
    '  xz -dcf < "$1$module" > "$start/drivers/$name"',
    '  echo "$name" >> "$start/drivers/order"',
    'done',
    ...written('$start/init', firstProgram),
    'chmod 755 "$start/init"',
    `chroot "$1" sh -c 'cd /tmp/start && find . | busybox cpio -o -H newc' > "$1/${startFiles.initrd}"`,
    `cp "$1/boot/vmlinuz-$version" "$1/${startFiles.kernel}"`,
    'rm -rf "$start" "$1"/boot/initrd.img-*',
  ];
}

function written(file: string, text: string): string[] {
  return [`cat > "${file}" <<'END_OF_FILE'`, `${text}END_OF_FILE`];
}
