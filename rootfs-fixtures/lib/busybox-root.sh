# A root file system of busybox, as a directory. Read in by the scripts beside this folder.

umask 022  # the modes in an image are the same whoever makes it

# The statically linked busybox of the machine.
busybox_program() {
    local program
    program=$(command -v busybox) || {
        echo "busybox is missing: apt-get install busybox-static" >&2
        return 1
    }
    if ldd "$program" >/dev/null 2>&1; then
        echo "$program is linked dynamically: apt-get install busybox-static" >&2
        return 1
    fi
    readlink -f "$program"
}

# busybox_tree DIR: the programs as links to /bin/busybox, and the usual directories.
busybox_tree() {
    local root=$1 program applet
    program=$(busybox_program)
    mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,usr/local/bin,usr/local/sbin,etc,home,lib}
    mkdir -p "$root"/{media,mnt,opt,proc,root,run,srv,sys,dev,tmp,var/tmp}
    chmod 755 "$root"
    chmod 1777 "$root/tmp" "$root/var/tmp"
    chmod 700 "$root/root"
    install -m 755 "$program" "$root/bin/busybox"
    # Names without a folder are busybox's own (linuxrc).
    for applet in $("$program" --list-full | grep /); do
        mkdir -p "$root/$(dirname "$applet")"
        [ "$applet" = bin/busybox ] || ln -sf /bin/busybox "$root/$applet"
    done
}

# busybox_version: as in "1.35.0".
busybox_version() {
    "$(busybox_program)" | sed -n '1s/^BusyBox v\([0-9.]*\).*/\1/p'
}

# tree_to_tar DIR [OPTIONS OF TAR]: the same bytes for the same tree, owners and attributes kept.
tree_to_tar() {
    local root=$1
    shift
    tar -C "$root" --xattrs --xattrs-include='*' --numeric-owner --sort=name --format=pax \
        --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime "$@" -c .
}

# tree_of_root_to_tar DIR: all of it root's and from the epoch, whoever made it and when.
tree_of_root_to_tar() { tree_to_tar "$1" --owner=0 --group=0 --mtime=@0; }
