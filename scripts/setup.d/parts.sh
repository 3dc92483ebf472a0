# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: MIT OR Apache-2.0
# What the distribution lacks, each part once, in the cache. A part is built in
# a temporary directory and renamed when it is whole, so an interrupted run
# leaves nothing that looks finished.

# A row: part, number of its recipe. A change of how a part is made takes a new
# number: then older copies are made anew.
parts_table() {
    cat <<'TABLE'
openssl         1
mbedtls         1
kernel/primary  2
kernel/fallback 2
ovmf            1
virt-fw         2
cbmc            1
debian13-tls    1
TABLE
}

# The version of the OpenSSL that the build would use: the installed one, else
# the one that would be installed.
openssl_version() {
    pkg-config --modversion libcrypto 2>/dev/null ||
        apt-cache policy libssl-dev | sed -n 's/^  Candidate: *//p'
}

openssl_wanted() {
    ! version_at_least "$(openssl_version)" 3.5
}

# True if the part is not needed, or is there as this recipe makes it.
part_is_there() {
    if [ "$1" = openssl ] && ! openssl_wanted; then
        return 0
    fi
    [ "$(cat "$cache/$1/.recipe" 2>/dev/null)" = "$2" ]
}

missing_parts() {
    parts_table | while read -r part recipe; do
        part_is_there "$part" "$recipe" || echo "$part:$recipe"
    done
}

check_parts() {
    for row in $(missing_parts); do
        note_missing "$cache/${row%:*}"
    done
}

# What an interrupted run may have left.
remove_leftovers() {
    rm -rf "$cache"/tmp.* "$cache/new" "$cache/old" "$cache/openssl-source" "$cache/openssl-stage" \
        "$cache/kernel-unpacked"
}

# make_part NAME RECIPE
make_part() {
    say "making $1 in $cache"
    "make_$(echo "$1" | tr '/-' '__')" "$cache/new"
    echo "$2" >"$cache/new/.recipe"
    sync -f "$cache/new"
    if [ -e "$cache/$1" ]; then
        mv "$cache/$1" "$cache/old"
    fi
    mv "$cache/new" "$cache/$1"
    rm -rf "$cache/old"
}

make_parts() {
    if [ -z "$(missing_parts)" ]; then
        return
    fi
    mkdir -p "$cache/kernel"
    exec 8>"$cache/lock"
    flock 8
    remove_leftovers
    for row in $(missing_parts); do # asked again: another run may just have made them
        make_part "${row%:*}" "${row#*:}"
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

# C23 has bool, false and true as keywords; vmlinux.h defines them as a kernel's C does.
guard_keywords() {
    sed -e 's/^typedef _Bool bool;$/#if __STDC_VERSION__ < 202311L\n&\n#endif/' \
        -e 's/^\tfalse = 0,$/#if __STDC_VERSION__ < 202311L\n&/' \
        -e 's/^\ttrue = 1,$/&\n#else\n\tvmlinux_false = 0,\n\tvmlinux_true = 1,\n#endif/'
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
    bpftool btf dump file "$2/vmlinux" format c >"$2/vmlinux-raw.h"
    guard_keywords <"$2/vmlinux-raw.h" >"$2/vmlinux.h"
    rm -rf "$2/vmlinux" "$2/vmlinux-raw.h" "$unpacked"
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

# The model checker of `make proof`, with the C library that Debian 13 built it
# for: it runs beside an older one.
make_cbmc() {
    for package in cbmc minisat libc6 libstdc++6 libgcc-s1 zlib1g; do
        fetch_package "$package" "$1"
    done
    cat >"$1/cbmc" <<'WRAPPER'
#!/bin/sh
lib=$(dirname "$(readlink -f "$0")")/usr/lib
exec "$lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$lib/x86_64-linux-gnu:$lib" "$lib/../bin/cbmc" "$@"
WRAPPER
    chmod 755 "$1/cbmc"
    "$1/cbmc" --version >/dev/null || die "cbmc does not run"
}

# Debian 13's OpenSSL with its PKCS #11 provider, which needs a newer C library:
# it runs beside an older one.
make_debian13_tls() {
    for package in openssl libssl3t64 pkcs11-provider libc6 zlib1g libzstd1; do
        fetch_package "$package" "$1"
    done
    cat >"$1/openssl" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
lib=$root/usr/lib/x86_64-linux-gnu
OPENSSL_MODULES=$lib/ossl-modules exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" \
    "$root/usr/bin/openssl" "$@"
WRAPPER
    chmod 755 "$1/openssl"
    "$1/openssl" version >/dev/null || die "Debian 13's openssl does not run"
    [ -e "$1/usr/lib/x86_64-linux-gnu/ossl-modules/pkcs11.so" ] || die "no pkcs11 provider"
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
VD_CBMC=$cache/cbmc/cbmc
ENV
    if cmp -s "$build/deps.env.new" "$build/deps.env"; then
        rm "$build/deps.env.new"
    else
        mv "$build/deps.env.new" "$build/deps.env"
    fi
}
