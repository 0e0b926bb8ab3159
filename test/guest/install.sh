#!/bin/sh
# Installs what `npm run test:guest` needs on Debian: QEMU, a static busybox, and Debian's kernel, unpacked but not installed.
# Run as root. The kernel goes to /var/lib/iris-guest, or to the folder named by IRIS_GUEST_KERNEL.
set -eu

if [ "$(id -u)" -ne 0 ]; then
  echo "install.sh needs root: sudo test/guest/install.sh" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "install.sh knows Debian only" >&2
  exit 1
fi
folder=${IRIS_GUEST_KERNEL:-/var/lib/iris-guest}
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends qemu-system-x86 busybox-static iproute2 >/dev/null
image=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
chmod 755 "$download"
(cd "$download" && apt-get download -qq "$image" >/dev/null)
rm -rf "$folder"
mkdir -p "$folder"
dpkg-deb -x "$download/$image"_*.deb "$folder"
echo "installed $(qemu-system-x86_64 --version | head -n 1) and $image; now run: npm run test:guest"
