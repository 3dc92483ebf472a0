# SPDX-License-Identifier: MIT OR Apache-2.0
# What the distribution lacks, each part once, in the cache. A part is built in
# a temporary directory and renamed when it is whole, so an interrupted run
# leaves nothing that looks finished.

parts='openssl mbedtls kernel/primary kernel/fallback ovmf virt-fw'

openssl_wanted() {
    have=$(pkg-config --modversion libcrypto 2>/dev/null || echo 0)
    ! version_at_least "$have" 3.5
}

part_wanted() {
    if [ "$1" = openssl ]; then
        openssl_wanted
    fi
}

check_parts() {
    for part in $parts; do
        if part_wanted "$part" && [ ! -d "$cache/$part" ]; then
            note_missing "$cache/$part"
        fi
    done
}

make_parts() {
    mkdir -p "$cache/kernel"
    exec 8>"$cache/lock"
    flock 8
    rm -rf "$cache"/tmp.*
    for part in $parts; do
        if ! part_wanted "$part" || [ -d "$cache/$part" ]; then
            continue
        fi
        say "making $part in $cache"
        rm -rf "$cache/new"
        "make_$(echo "$part" | tr '/-' '__')" "$cache/new"
        sync "$cache/new"
        mv "$cache/new" "$cache/$part"
    done
    flock -u 8
}

# Debian's OpenSSL for Debian 13 (3.5), as a private prefix. DES and engines
# stay: SoftHSM2 needs them.
make_openssl() {
    source=$cache/openssl-source
    fetch_source openssl "$source"
    say "building OpenSSL (some minutes; once)"
    (cd "$source" &&
        quietly "$cache/openssl.log" ./Configure linux-x86_64 --prefix="$cache/openssl" --libdir=lib \
            --openssldir=/etc/ssl shared no-tests no-docs &&
        quietly "$cache/openssl.log" nice make -j"$(nproc)" &&
        quietly "$cache/openssl.log" make install_sw DESTDIR="$cache/openssl-stage")
    mv "$cache/openssl-stage$cache/openssl" "$1"
    rm -rf "$source" "$cache/openssl-stage"
}

make_mbedtls() {
    fetch_source mbedtls "$1"
}

# newest_kernel PATTERN: the newest cloud kernel's version by package name.
newest_kernel() {
    private_apt apt-cache search --names-only "^linux-(binary|image)-$1.*[+]deb13-cloud-amd64\$" |
        sed -E 's/^linux-(binary|image)-([^ ]*) .*/\2/' | sort -V | tail -n 1
}

# make_kernel VERSION DIR: vmlinuz, modules, vmlinux.h of a Debian kernel.
make_kernel() {
    [ -n "$1" ] || die "the mirror has no such kernel"
    unpacked=$cache/kernel-unpacked
    rm -rf "$unpacked"
    # Newer kernels come in two packages.
    if private_apt apt-cache show "linux-binary-$1" >/dev/null 2>&1; then
        fetch_package "linux-binary-$1" "$unpacked"
        fetch_package "linux-modules-$1" "$unpacked"
    else
        fetch_package "linux-image-$1" "$unpacked"
    fi
    mkdir -p "$2/modules/lib"
    vmlinuz=$unpacked/boot/vmlinuz-$1
    [ -e "$vmlinuz" ] || vmlinuz=$unpacked/usr/lib/modules/$1/vmlinuz
    cp "$vmlinuz" "$2/vmlinuz"
    mv "$unpacked/usr/lib/modules" "$2/modules/lib/modules" 2>/dev/null ||
        mv "$unpacked/lib/modules" "$2/modules/lib/modules"
    echo "$1" >"$2/VERSION"
    python3 "$here/setup.d/vmlinux.py" "$2/vmlinuz" "$2/vmlinux"
    bpftool btf dump file "$2/vmlinux" format c >"$2/vmlinux.h"
    rm -rf "$2/vmlinux" "$unpacked"
}

make_kernel_primary() {
    private_apt_init
    version=$(newest_kernel '[7-9][.][0-9]')
    if [ -z "$version" ]; then
        say "no kernel 7 on this mirror: 6.12 takes its place"
        version=$(newest_kernel '6[.]12')
    fi
    make_kernel "$version" "$1"
}

make_kernel_fallback() {
    private_apt_init
    make_kernel "$(newest_kernel '6[.]12')" "$1"
}

make_ovmf() {
    mkdir -p "$1"
    for file in OVMF_CODE_4M.secboot.fd OVMF_VARS_4M.fd; do
        [ -r "/usr/share/OVMF/$file" ] || die "the package ovmf has no /usr/share/OVMF/$file"
        cp "/usr/share/OVMF/$file" "$1/$file"
    done
}

# virt-fw-vars edits firmware variable files; pure Python, so Debian 13's
# package also serves Debian 12's interpreter.
make_virt_fw() {
    fetch_package python3-virt-firmware "$1"
    mkdir -p "$1/bin"
    cat >"$1/bin/virt-fw-vars" <<'WRAPPER'
#!/bin/sh
dir=$(dirname "$(dirname "$(readlink -f "$0")")")
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$dir/usr/lib/python3/dist-packages exec /usr/bin/python3 -c \
    'import sys, importlib.resources as r; sys.modules.setdefault("importlib_resources", r)
from virt.firmware.vars import main; sys.exit(main())' "$@"
WRAPPER
    chmod 755 "$1/bin/virt-fw-vars"
    "$1/bin/virt-fw-vars" --help >/dev/null || die "virt-fw-vars does not run"
}

write_env() {
    mkdir -p "$build"
    prefix=
    if openssl_wanted; then
        prefix=$cache/openssl
    fi
    cat >"$build/deps.env.new" <<ENV
VD_CACHE=$cache
VD_OPENSSL_PREFIX=$prefix
VD_MBEDTLS_SRC=$cache/mbedtls
VD_KERNEL_PRIMARY=$cache/kernel/primary
VD_KERNEL_FALLBACK=$cache/kernel/fallback
VD_OVMF=$cache/ovmf
VD_VIRT_FW_VARS=$cache/virt-fw/bin/virt-fw-vars
ENV
    if cmp -s "$build/deps.env.new" "$build/deps.env"; then
        rm "$build/deps.env.new"
    else
        mv "$build/deps.env.new" "$build/deps.env"
    fi
}
