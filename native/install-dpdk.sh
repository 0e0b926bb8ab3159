#!/bin/sh
# Installs what live ports need on Debian and Ubuntu: DPDK with its headers, and the tools that build the addon.
# Run as root, then: npm run build:native
set -eu

if [ "$(id -u)" -ne 0 ]; then
  echo "install-dpdk.sh needs root: sudo native/install-dpdk.sh" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  echo "install-dpdk.sh knows Debian and Ubuntu only; install DPDK 22.11 or later with its headers, pkg-config, g++, make and python3" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends libdpdk-dev pkg-config g++ make python3
echo "installed DPDK $(pkg-config --modversion libdpdk); now run: npm run build:native"
