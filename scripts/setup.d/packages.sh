# shellcheck shell=sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The distribution's packages. A row: package, or alternatives a|b of which the
# first that the distribution knows is taken; then what it is for.

packages_table() {
    cat <<'TABLE'
gcc             the compiler
libc6-dev       C library, headers and static
make            the front of the build
meson           the build
ninja-build     the build
pkg-config|pkgconf libraries' flags
clang           BPF programs, bootloader, fuzzers
lld             bootloader's linker
llvm            sanitizers' symbolizer
clang-format    make check
libclang-rt-dev|libclang-rt-14-dev fuzzers' runtime
python3         scripts
git             source listing of make check
ca-certificates apt over TLS
libbpf-dev      BPF loader
libseccomp-dev  daemons' system call filters
bpftool|linux-tools-common skeletons of BPF programs
libelf-dev      libbpf's own need
zlib1g-dev      libbpf's own need
libssl-dev      cryptography
libjansson-dev  JSON
libsepol-dev    tests: the peer of the decision engine
checkpolicy     tests: the peer of the policy compiler
setools         tests: what it sees in the two binary policies
swtpm           tests and VM: TPM
swtpm-tools     tests and VM: TPM
e2fsprogs       tests and VM: a disk with labels
tpm2-tools      tests: second opinion on quotes
libsqlite3-dev  the key store
libmicrohttpd-dev the key service's web interface
libp11-kit-dev  PKCS#11 headers
softhsm2        tests: a PKCS#11 module
libtpm2-pkcs11-1 tests: a second PKCS#11 module
libtpm2-pkcs11-tools tests: the second module's token
tpm2-abrmd      tests: the second module's TPM
libtss2-tcti-tabrmd0 tests: what the second module reaches it by
dbus            tests: what tpm2-abrmd talks over
opensc          tests: pkcs11-tool
libengine-pkcs11-openssl tests: OpenSSL 3.0's way to PKCS#11
gnutls-bin      tests: p11tool
openssh-client  tests: a login with a key of ours
openssh-server  tests: a login with a key of ours
curl            tests: the web interface
libtss2-dev     benchmarks: the peer of sealing
qemu-system-x86 the VM
ovmf            the VM's firmware
mtools          EFI system partition
sbsigntool      Secure Boot signatures
cpio            tests: an initrd by another writer
zstd            kernel images
xz-utils        kernel modules
lz4             kernel images
busybox-static  tests: the guest's shell
openssl         tests: certificates, a second opinion
pesign          tests: second opinion on PE digests
dpkg-dev        source packages
valgrind        tests: constant time
python3-cryptography firmware variables
python3-pefile  firmware variables
libzstd-dev     static libelf's own need
m4              tests: the reference policy
gawk            tests: the reference policy
perl            OpenSSL's build
bzip2           source archives
TABLE
}

require_apt() {
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        return
    fi
    {
        echo "This system has no apt. Veridian needs, by the names of Debian's packages:"
        packages_table | sed 's/^/  /'
        echo "and OpenSSL 3.5 or newer, the source of mbedTLS 3.6, and a kernel with BPF LSM for the VM."
    } >&2
    exit 3
}

# The installed packages, a name a line, between two lines that name none.
installed_packages() {
    echo -
    # shellcheck disable=SC2016
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p'
    echo -
}

# The rows of which no alternative is installed.
missing_packages() {
    installed=$(installed_packages)
    packages_table | while read -r names _; do
        found=no
        for alternative in $(echo "$names" | tr '|' ' '); do
            case $installed in
            *"
$alternative
"*) found=yes ;;
            esac
        done
        [ $found = yes ] || echo "$names"
    done
}

check_packages() {
    for names in $(missing_packages); do
        note_missing "package $names"
    done
}

has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# The first of the alternatives that apt can install.
choose_package() {
    for alternative in $(echo "$1" | tr '|' ' '); do
        if has_candidate "$alternative"; then
            echo "$alternative"
            return
        fi
    done
    die "apt knows none of: $1"
}

# A faulty third source, say, must not stop us: apt then works with the lists it has.
update_lists() {
    as_root apt-get update -q >&2 || say "apt-get update reports faults; going on with the lists there are"
}

# apt_install PACKAGE…: waits for another apt that runs (as just after a first start).
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -y \
        --no-install-recommends install "$@" >&2
}

install_packages() {
    missing=$(missing_packages)
    if [ -z "$missing" ]; then
        return
    fi
    # shellcheck disable=SC2086
    say "installing packages:" $missing
    update_lists
    chosen=
    for names in $missing; do
        chosen="$chosen $(choose_package "$names")"
    done
    # shellcheck disable=SC2086
    apt_install $chosen || die "apt-get could not install the packages (its messages are above)"
}
