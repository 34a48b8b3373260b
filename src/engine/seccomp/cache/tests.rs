//! The cache believes only files that are ours, whole, and made from the same profile.

use std::path::PathBuf;

use super::*;
use crate::config::capability::CapabilitySet;
use crate::config::seccomp::default_profile;

fn cache_directory(name: &str) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join(name);
    (scratch, directory)
}

/// The second answer comes from the file; what is odd about the file makes it a miss.
#[test]
fn cache_gives_what_was_compiled() {
    use std::os::unix::fs::PermissionsExt;
    let (_scratch, directory) = cache_directory("seccomp");
    let profile = default_profile(CapabilitySet::docker_default()).unwrap();
    let made = compile(&profile).unwrap();
    let get = || compile_cached(&profile, &directory).unwrap();
    assert_eq!(get(), made);
    let mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let file = std::fs::read_dir(&directory).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();

    // A recognisable program shows whether the file is believed.
    let mut marked = whole.clone();
    let allow = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f];
    marked.truncate(whole.len() - made.bytes.len());
    marked.extend(allow);
    std::fs::write(&file, &marked).unwrap();
    assert_eq!(get().bytes, allow);

    let mut other_key = marked.clone();
    other_key[40] ^= 1;
    let cases = [
        whole[..whole.len() - 3].to_vec(),
        whole[..whole.len() - made.bytes.len()].to_vec(),
        [&whole[..], &[0; 8 * 4096]].concat(),
        other_key,
        Vec::new(),
    ];
    for odd in cases {
        std::fs::write(&file, &odd).unwrap();
        assert_eq!(get(), made);
        assert_eq!(std::fs::read(&file).unwrap(), whole, "the file is mended");
    }
    for mode in [0o620, 0o602] {
        std::fs::write(&file, &marked).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(get(), made, "{mode:o}");
    }
    // Not a file, a link, or a directory that others can write: compiled, never believed.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(get(), made);
    std::fs::remove_dir(&file).unwrap();
    let elsewhere = directory.with_extension("elsewhere");
    std::fs::write(&elsewhere, &marked).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert_eq!(get(), made);
    std::fs::write(&file, &marked).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(get(), made);
}

/// Where nothing can be kept, the program is made each time.
#[test]
fn cache_that_cannot_be_written() {
    let (scratch, _) = cache_directory("");
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    let profile = default_profile(CapabilitySet::EMPTY).unwrap();
    let made = compile(&profile).unwrap();
    assert_eq!(compile_cached(&profile, &file.join("below")).unwrap(), made);
    assert_eq!(compile_cached(&profile, &file).unwrap(), made);
}

/// Prints what compiling and the cache cost; run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure() {
    let (_scratch, directory) = cache_directory("seccomp");
    let profile = default_profile(CapabilitySet::docker_default()).unwrap();
    let time = |what: &str, work: &dyn Fn()| {
        work();
        let begin = std::time::Instant::now();
        (0..50).for_each(|_| work());
        println!("{what}: {:?}", begin.elapsed() / 50);
    };
    println!("{} instructions", compile(&profile).unwrap().bytes.len() / INSTRUCTION);
    time("profile", &|| drop(default_profile(CapabilitySet::docker_default()).unwrap()));
    time("compile", &|| drop(compile(&profile).unwrap()));
    time("cached", &|| drop(compile_cached(&profile, &directory).unwrap()));
}
