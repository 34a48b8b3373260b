# Builds the two programs as static release binaries. Needs needs.sh.

# Where cargo puts them.
release_directory() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    say "${CARGO_TARGET_DIR:-target}/$host/release"
}

# build_release: rrun with all it has; rrun-oci apart, with nothing of images and containers.
build_release() {
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    local -x RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
    local -x LIBSECCOMP_LINK_TYPE=static
    local -x LIBSECCOMP_LIB_PATH
    LIBSECCOMP_LIB_PATH=$(library_directory)
    cargo build --release --locked --target "$host" --bin rrun
    cargo build --release --locked --target "$host" --no-default-features --bin rrun-oci
}
