# Builds the two programs as static release binaries. Needs needs.sh.

# Where cargo puts them.
release_directory() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    say "${CARGO_TARGET_DIR:-target}/$host/release"
}

# build_release_of rrun|rrun-oci: rrun with all it has; rrun-oci apart, with nothing of images and
# containers. What a run calls lies side by side (scripts/order).
build_release_of() {
    local host options=()
    host=$(rustc -vV | sed -n 's/^host: //p')
    # docs/performance.md says what a fixed address is worth. The list of functions has their
    # names as the newer mangling writes them, which hold no hash of a function.
    local -x RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static \
-C relocation-model=static -C symbol-mangling-version=v0"
    local -x LIBSECCOMP_LINK_TYPE=static
    local -x LIBSECCOMP_LIB_PATH
    LIBSECCOMP_LIB_PATH=$(library_directory)
    if [ "$1" = rrun-oci ]; then
        options=(--no-default-features)
    fi
    cargo rustc --release --locked --target "$host" "${options[@]}" --bin "$1" \
        -- -C "link-arg=-Wl,-T,$(often "$1")"
}

# often PROGRAM: its list of functions, under a name that changes with it, because cargo compares
# names.
often() {
    local sum list
    sum=$(cksum < "scripts/lib/often-$1.ld")
    list=${CARGO_TARGET_DIR:-$PWD/target}/often-${sum%% *}.ld
    cp "scripts/lib/often-$1.ld" "$list"
    say "$list"
}

build_release() {
    build_release_of rrun
    build_release_of rrun-oci
}
