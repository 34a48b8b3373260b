# What the scripts need from the machine: found, installed where apt can, or named as lacking.

say() { printf '%s\n' "$*"; }

lack() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# need_linux: Linux 5.12 is the floor of rrun (mount_setattr).
need_linux() {
    [ "$(uname -s)" = Linux ] || lack "needs Linux, this is $(uname -s)"
    local release major minor
    release=$(uname -r)
    IFS=.- read -r major minor _ <<<"$release"
    if [ "$major" -lt 5 ] || { [ "$major" -eq 5 ] && [ "$minor" -lt 12 ]; }; then
        lack "needs Linux 5.12 or later (mount_setattr), this is $release"
    fi
}

need_root() {
    [ "$(id -u)" = 0 ] || lack "needs root ($1): run it with sudo -E env PATH=\"\$PATH\" $0"
}

# need_rust: cargo, also where rustup put it and PATH does not have it.
need_rust() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    command -v cargo >/dev/null || lack "needs Rust: https://rustup.rs"
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    have=$(rustc --version | cut -d' ' -f2)
    if [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -1)" != "$wanted" ]; then
        lack "needs Rust $wanted or later, this is $have: rustup update"
    fi
}

# is_there WANT: a program in PATH (prog:NAME), one that is linked statically (static:NAME), or
# a file (file:PATH).
is_there() {
    case $1 in
        prog:*) command -v "${1#prog:}" >/dev/null ;;
        static:*) command -v "${1#static:}" >/dev/null && ! is_dynamic "${1#static:}" ;;
        file:*) [ -e "${1#file:}" ] ;;
    esac
}

is_dynamic() { ldd "$(command -v "$1")" >/dev/null 2>&1; }

# need_packages "WANT PACKAGE"…: installs the packages whose WANT is not there, all at once.
need_packages() {
    local entry missing=()
    for entry in "$@"; do
        is_there "${entry% *}" || missing+=("${entry##* }")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local list="${missing[*]}"
    command -v apt-get >/dev/null \
        || lack "needs $list (Debian's names), and there is no apt-get to install them"
    [ "$(id -u)" = 0 ] || lack "needs $list: run, as root: apt-get install $list"
    say "installing: $list"
    {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "${missing[@]}"
    } >/dev/null || lack "apt-get could not install $list"
}

# Where Debian keeps the libraries of this machine's kind.
library_directory() { say "/usr/lib/$(uname -m)-linux-gnu"; }

# need_build_packages: what a release build links with.
need_build_packages() {
    need_packages "prog:cc gcc" "file:/usr/include/stdio.h libc6-dev" \
        "file:$(library_directory)/libseccomp.a libseccomp-dev"
}
