# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: MIT OR Apache-2.0
# A private apt configuration for what is newer than the distribution: its own
# sources, lists and downloads, under the cache. Signatures are checked by apt
# against Debian's archive keyring; the system's sources are only read, to learn
# which mirror this machine uses.

apt_dir=$cache/apt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror of Debian itself (not of its security archive, nor of third sources)
# that the system's apt uses, as apt itself reads its sources.
system_mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
        sed -n 's/^Debian|Debian|//p' | head -n 1
}

debian_mirror() {
    if [ -n "${VD_DEBIAN_MIRROR:-}" ]; then
        echo "$VD_DEBIAN_MIRROR"
    elif [ -n "$(system_mirror)" ]; then
        system_mirror
    else
        update_lists # indextargets knows origins only from lists that were read
        system_mirror
    fi
}

private_apt_init() {
    if [ -n "${apt_ready:-}" ]; then
        return
    fi
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || die "no Debian mirror in the apt sources; set VD_DEBIAN_MIRROR"
    [ -r "$keyring" ] || apt_install debian-archive-keyring
    mkdir -p "$apt_dir/state/lists/partial" "$apt_dir/cache/archives/partial" "$apt_dir/none"
    for suite in trixie trixie-backports; do
        echo "deb [signed-by=$keyring] $mirror $suite main"
    done >"$apt_dir/sources.list"
    for suite in trixie trixie-updates; do
        echo "deb-src [signed-by=$keyring] $mirror $suite main"
    done >>"$apt_dir/sources.list"
    cat >"$apt_dir/apt.conf" <<CONF
Dir::State "$apt_dir/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt_dir/cache";
Dir::Etc::SourceList "$apt_dir/sources.list";
Dir::Etc::SourceParts "$apt_dir/none";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$apt_dir/none";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
    say "reading Debian 13's package lists (private configuration)"
    quietly "$apt_dir/update.log" private_apt apt-get update -q --error-on=any
    apt_ready=yes
}

# private_apt APT-PROGRAM ARGUMENT…; the system's apt.conf (proxies) still holds,
# except for a default release, which our suites do not contain.
private_apt() {
    apt_program=$1
    shift
    APT_CONFIG=$apt_dir/apt.conf "$apt_program" -o APT::Default-Release= "$@"
}

# A package's source versions, newest first.
source_versions() {
    private_apt apt-cache showsrc "$1" | sed -n 's/^Version: //p' | sort -rV | uniq
}

# fetch_source PACKAGE DIR: unpacks a Debian source package as DIR. A mirror may
# list a version that it does not hold (yet or any more): then the next older one.
fetch_source() {
    private_apt_init
    work=$(mktemp -d "$cache/tmp.XXXXXX")
    versions=$(source_versions "$1")
    [ -n "$versions" ] || die "$mirror lists no source of $1"
    for version in $versions; do
        if (cd "$work" && private_apt apt-get source -q --download-only "$1=$version") \
            >"$work/log" 2>&1; then
            break
        fi
        say "the mirror does not hold $1 $version; trying an older one"
        rm -f "$work"/*.dsc
    done
    set -- "$1" "$2" "$work"/*.dsc
    [ -r "$3" ] || die "no source of $1 could be fetched: $(tail -n 1 "$work/log")"
    quietly "$work/log" dpkg-source --no-check -x "$3" "$work/source"
    rm -rf "$2"
    mv "$work/source" "$2"
    rm -rf "$work"
}

# fetch_package PACKAGE DIR: unpacks a binary package's files over DIR.
fetch_package() {
    private_apt_init
    work=$(mktemp -d "$cache/tmp.XXXXXX")
    (cd "$work" && quietly "$work/log" private_apt apt-get download -q "$1")
    dpkg -x "$work"/*.deb "$2"
    rm -rf "$work"
}
