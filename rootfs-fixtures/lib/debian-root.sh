# Programs of Debian in a root file system of ours, without debootstrap and without root: packages
# are fetched by apt-get and unpacked, none of their scripts runs. Read in after busybox-root.sh.

# need_apt: Debian's packages come by Debian's tools.
need_apt() {
    local program
    for program in apt-get dpkg; do
        command -v "$program" >/dev/null || {
            echo "$program is missing: this image is made of Debian packages" >&2
            return 1
        }
    done
}

# debian_libraries PACKAGE: the names of the shared libraries that it needs, and that these need.
#
# An empty status file makes apt count what this machine has installed already. Left out: what
# only Perl, LLVM (the compiler for queries) and the tools of dpkg need.
debian_libraries() {
    local status
    status=$(mktemp)
    apt-get -qq -o Dir::State::status="$status" -o APT::Install-Recommends=0 \
        -o Debug::NoLocking=1 --simulate install "$1" \
        | awk '$1 == "Inst" && $2 ~ /^(lib|zlib)/ { print $2 }' \
        | grep -v -E -e '-perl$|^libperl|^libllvm|^libz3-|^libsepol|^libsemanage' \
            -e '^libpam-modules|^libc-l10n'
    rm -f "$status"
}

# debian_tree DIR PACKAGE…: the files of these packages, without manuals and translations.
debian_tree() {
    local root=$1 archives archive
    shift
    archives=$(mktemp -d)
    (cd "$archives" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$@") >&2 || {
        rm -rf "$archives"
        echo "a Debian package could not be fetched: are the lists new? apt-get update" >&2
        return 1
    }
    for archive in "$archives"/*.deb; do
        dpkg -x "$archive" "$root"
    done
    rm -rf "$archives"
    # Unpacking a package sets the modes of the directories that it has too.
    chmod 1777 "$root/tmp"
    rm -rf "$root"/usr/share/{doc,man,locale,lintian,info,bug,i18n}
}
