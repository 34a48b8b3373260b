//! One table a rule of the truth table; a row is a flag's value and what comes of it.

use std::path::Path;

use super::*;
use crate::config::request::*;

const CURRENT: &str = "/home/u/work";

fn v(text: &str) -> Result<MountRequest, MountFlagError> {
    parse_volume(text, Path::new(CURRENT))
}

fn m(text: &str) -> Result<MountRequest, MountFlagError> {
    parse_mount(text, Path::new(CURRENT))
}

fn words<T: std::fmt::Debug>(result: Result<T, MountFlagError>) -> String {
    result.map_or_else(|e| e.to_string(), |value| panic!("accepted: {value:?}"))
}

fn hint<T: std::fmt::Debug>(result: Result<T, MountFlagError>) -> String {
    result.unwrap_err().hint().unwrap_or_default()
}

fn volume(request: MountRequest) -> VolumeRequest {
    match request.kind {
        MountKind::Volume(volume) => volume,
        other => panic!("no volume: {other:?}"),
    }
}

fn bind(request: MountRequest) -> BindRequest {
    match request.kind {
        MountKind::Bind(bind) => bind,
        other => panic!("no bind: {other:?}"),
    }
}

fn tmpfs(request: MountRequest) -> TmpfsRequest {
    match request.kind {
        MountKind::Tmpfs(tmpfs) => tmpfs,
        other => panic!("no tmpfs: {other:?}"),
    }
}

/// What a request is, in one line.
fn told(request: MountRequest) -> String {
    let target = request.target.clone();
    let read_only = request.read_only;
    let kind = match request.kind {
        MountKind::Volume(v) => {
            format!("volume {}", v.source.map_or("-".into(), |n| n.to_string()))
        }
        MountKind::Bind(b) => format!("bind {}", b.source),
        MountKind::Tmpfs(t) => format!("tmpfs {}", t.options.join(",")),
        MountKind::Image(i) => format!("image {}", i.reference),
    };
    format!("{kind} {target} {read_only:?}")
}

mod volume_flag {
    use super::*;

    /// V1.01 to V1.04, V1.07, V1.10, V1.24, V1.25, V1.32: what is accepted.
    #[test]
    fn accepted() {
        let cases = [
            ("/dst", "volume - /dst No"),
            ("/a,b", "volume - /a,b No"),
            ("data:/data", "volume data /data No"),
            ("data:/data:ro", "volume data /data Recursive"),
            ("data:/data:rw", "volume data /data No"),
            ("data:/data:cached", "volume data /data No"),
            ("data:/data:delegated", "volume data /data No"),
            ("data:/data:consistent,ro,z", "volume data /data Recursive"),
            ("/src:/dst", "bind /src /dst No"),
            ("/src/:/dst/:ro", "bind /src /dst Recursive"),
            ("/a/../b//c/.:/dst", "bind /b/c /dst No"),
            ("/:/host", "bind / /host No"),
            ("./x:/dst", "bind /home/u/work/x /dst No"),
            ("../x:/dst", "bind /home/u/x /dst No"),
            (".:/dst", "bind /home/u/work /dst No"),
            ("..:/dst", "bind /home/u /dst No"),
            (".hid:/dst", "bind /home/u/work/.hid /dst No"),
            ("data:/a//b/../c/", "volume data /a/c No"),
            ("data:/da ta", "volume data /da ta No"),
            ("/s rc:/dst ", "bind /s rc /dst  No"),
            ("data:/../../x", "volume data /x No"),
        ];
        for (text, want) in cases {
            assert_eq!(v(text).map(told), Ok(want.into()), "{text:?}");
        }
    }

    /// V1.09, V1.11, V1.08, V1.29: what the words turn on.
    #[test]
    fn options() {
        assert_eq!(volume(v("data:/d:nocopy").unwrap()).copy_up, CopyUp::No);
        assert_eq!(volume(v("data:/d").unwrap()).copy_up, CopyUp::Yes);
        let plain = bind(v("/s:/d").unwrap());
        assert_eq!((plain.propagation, plain.relabel), (None, Relabel::No));
        assert_eq!((plain.missing, plain.recursion), (MissingSource::Create, Recursion::Enabled));
        assert_eq!(bind(v("/s:/d:z").unwrap()).relabel, Relabel::Shared);
        assert_eq!(bind(v("/s:/d:ro,Z").unwrap()).relabel, Relabel::Private);
        for word in ["private", "rprivate", "slave", "rslave", "shared", "rshared"] {
            let request = bind(v(&format!("/s:/d:ro,{word}")).unwrap());
            assert_eq!(request.propagation.map(|p| p.word()), Some(word));
        }
    }

    /// V1.14 to V1.17: a class of words has one word, in exact spelling.
    #[test]
    fn modes() {
        let wrong = [
            "foo",
            "U",
            "O",
            "idmap",
            "exec",
            "noexec",
            "copy",
            "rbind",
            "unbindable",
            "nocreate",
            "RO",
            "rw,ro",
            "ro,ro",
            "z,Z",
            "cached,delegated",
            "private,slave",
            "nocopy,nocopy",
            "ro,",
            ",ro",
            " ro",
            "ro ",
            "ro,foo",
        ];
        for mode in wrong {
            let text = format!("data:/data:{mode}");
            assert_eq!(words(v(&text)), format!("invalid mode: {mode}"), "{text:?}");
        }
        assert_eq!(v("data:/d:nocopy,z,cached,ro").map(told), v("data:/d:ro").map(told));
    }

    /// V1.05, V1.06, V1.12, V1.13, V1.18 to V1.23, V1.26, V1.27: what is refused, word for word.
    #[test]
    fn refused() {
        let cases = [
            ("", "invalid empty volume spec"),
            ("v:", "invalid spec: v:: empty section between colons"),
            ("data:", "invalid spec: data:: empty section between colons"),
            (":/d", "invalid spec: :/d: empty section between colons"),
            (":", "invalid spec: :: empty section between colons"),
            ("v::", "invalid spec: v::: empty section between colons"),
            ("v:/d:", "invalid spec: v:/d:: empty section between colons"),
            ("v:/d:ro:x", "invalid spec: v:/d:ro:x: too many colons"),
            ("v:/d:ro:", "invalid spec: v:/d:ro:: too many colons"),
            ("/d:ro", "invalid volume specification: '/d:ro'"),
            ("name:ro", "invalid volume specification: 'name:ro'"),
            ("/src:rw,z", "invalid volume specification: '/src:rw,z'"),
            (
                "name:dst",
                "invalid volume specification: 'name:dst': invalid mount config for type \
                 \"volume\": invalid mount path: 'dst' mount path must be absolute",
            ),
            (
                "/src:dst",
                "invalid volume specification: '/src:dst': invalid mount config for type \
                 \"bind\": invalid mount path: 'dst' mount path must be absolute",
            ),
            (
                "dst",
                "invalid volume specification: 'dst': invalid mount config for type \"volume\": \
                 invalid mount path: 'dst' mount path must be absolute",
            ),
            (
                "data:/d:rprivate",
                "invalid volume specification: 'data:/d:rprivate': invalid mount config for type \
                 \"volume\": field BindOptions must not be specified",
            ),
            (
                "/src:/d:nocopy",
                "invalid volume specification: '/src:/d:nocopy': invalid mount config for type \
                 \"bind\": field VolumeOptions must not be specified",
            ),
            (
                "d:/data",
                "create d: volume name is too short, names should be at least two alphanumeric \
                 characters",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(words(v(text)), want, "{text:?}");
        }
        for text in ["data:/", "data://", "data:/.", "data:/a/..", "/src:/", "/", "//"] {
            let ends = "invalid specification: destination can't be '/'";
            assert!(words(v(text)).ends_with(ends), "{text:?}");
        }
        for name in ["x/y", "~/x", "$HOME", "d@x", "d x", "d+", "_a", "é"] {
            let want = format!(
                "create {name}: \"{name}\" includes invalid characters for a local volume name, \
                 only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host \
                 directory, use absolute path"
            );
            assert_eq!(words(v(&format!("{name}:/data"))), want);
        }
        assert!(words(v(&format!("{}:/d", "a".repeat(256)))).ends_with("file name too long"));
    }

    /// V1.47, V10.02, V10.05: what inspect shows later.
    #[test]
    fn kept_text() {
        let cases = [
            ("/anon", None, ""),
            ("data:/n:ro", Some("data:/n:ro"), "ro"),
            ("/s/:/x/:ro,rprivate", Some("/s/:/x/:ro,rprivate"), "ro,rprivate"),
            ("./s:/b", Some("/home/u/work/s:/b"), ""),
        ];
        for (text, bind_text, mode) in cases {
            let request = v(text).unwrap();
            assert_eq!(request.bind_text().as_deref(), bind_text, "{text:?}");
            assert_eq!((request.mode.as_str(), request.flag), (mode, format!("-v {text}")));
        }
        assert_eq!(m("src=data,dst=/d").unwrap().bind_text(), None);
    }

    /// A slip of the finger is told, a stranger gets the list.
    #[test]
    fn hints() {
        assert_eq!(hint(v("data:/d:RO")), "did you mean ro?");
        assert_eq!(hint(v("data:/d:ro,rslav")), "did you mean rslave?");
        assert!(hint(v("data:/d:U")).starts_with("options are private, "));
        assert_eq!(hint(v("data:/d:ro,ro")), "of each kind of option there can be one");
        assert_eq!(hint(v("/data:ro")), "options need a source: -v SOURCE:/data:ro");
        assert_eq!(hint(v("x/y:/d")), "a path starts with / or with a dot: ./x/y");
        assert!(hint(v("~/x:/d")).ends_with("use \"$HOME/x\""));
    }
}

mod mount_flag {
    use super::*;

    fn syntax(text: &str) -> String {
        let said = words(m(text));
        let start = format!("invalid argument {text:?} for \"--mount\" flag: ");
        said.strip_prefix(&start).unwrap_or_else(|| panic!("{text:?}: {said}")).to_owned()
    }

    /// V2.01 to V2.03, V2.06, V2.13, V2.26, V2.28, V2.29, V2.30, V2.33: what is accepted.
    #[test]
    fn accepted() {
        let cases = [
            ("dst=/d", "volume - /d No"),
            ("src=data,dst=/d", "volume data /d No"),
            ("type=volume,source=data,target=/d", "volume data /d No"),
            ("TYPE=BIND,Src=/Src,destination=/D", "bind /Src /D No"),
            ("  dst=/d ", "volume - /d No"),
            ("src=data,dst=/d,ro", "volume data /d Recursive"),
            ("src=data,dst=/d,readonly=true", "volume data /d Recursive"),
            ("src=data,dst=/d,ro=1", "volume data /d Recursive"),
            ("src=data,dst=/d,ro=false", "volume data /d No"),
            ("src=data,dst=/d,ro,ro=0", "volume data /d No"),
            ("src=data,dst=/a,dst=/b", "volume data /b No"),
            ("type=bind,src=./x,dst=/d", "bind /home/u/work/x /d No"),
            ("type=bind,src=.,dst=/d,consistency=nonsense", "bind /home/u/work /d No"),
            ("type=bind,\"src=/a,b\",dst=/d", "bind /a,b /d No"),
            ("type=bind,\"src=/a\"\"b\",dst=/d", "bind /a\"b /d No"),
            ("src=data,dst=/data:ro", "volume data /data:ro No"),
            ("src=data,dst=/a//b/../c/", "volume data /a/c No"),
            ("type=image,src=busybox,dst=/img", "image busybox /img TopOnly"),
        ];
        for (text, want) in cases {
            assert_eq!(m(text).map(told), Ok(want.into()), "{text:?}");
        }
    }

    /// V2.04 to V2.07, V2.09, V2.24, V2.27, V2.28, V2.32: what cannot be read, word for word.
    #[test]
    fn unreadable() {
        let cases = [
            ("", "value is empty"),
            ("  ", "value is empty"),
            ("dst=", "invalid value for 'dst': value is empty"),
            ("dst= ,ro", "invalid value for 'dst': value is empty"),
            (
                "src=x, dst=/d",
                "invalid option 'dst' in ' dst=/d': option should not have whitespace",
            ),
            (
                "src=x ,dst=/d",
                "invalid value for 'src' in 'src=x ': value should not have whitespace",
            ),
            ("bind", "invalid field 'bind' must be a key=value pair"),
            ("dst=/d,rw", "invalid field 'rw' must be a key=value pair"),
            ("dst=/d,z", "invalid field 'z' must be a key=value pair"),
            ("dst=/d,,ro", "invalid field '' must be a key=value pair"),
            ("dst=/d,", "invalid field '' must be a key=value pair"),
            ("dst=/d,foo=bar", "unknown option 'foo' in 'foo=bar'"),
            ("dst=/d,bind-foo=bar", "unknown option 'bind-foo' in 'bind-foo=bar'"),
            ("dst=/d,tmpfs-options=x", "unknown option 'tmpfs-options' in 'tmpfs-options=x'"),
            ("dst=/d,relabel=shared", "unknown option 'relabel' in 'relabel=shared'"),
            (
                "dst=/d,ro=yes",
                "invalid value for 'ro': invalid boolean value (\"yes\"): must be one of \
                 \"true\", \"1\", \"false\", or \"0\" (default \"true\")",
            ),
            (
                "dst=/d,readonly=True",
                "invalid value for 'readonly': invalid boolean value (\"True\"): must be one of \
                 \"true\", \"1\", \"false\", or \"0\" (default \"true\")",
            ),
            (
                "type=bind,src=/s,dst=/d,bind-nonrecursive",
                "bind-nonrecursive is deprecated, use bind-recursive=disabled instead",
            ),
            ("src=/a\"b,dst=/x", "parse error on line 1, column 7: bare \" in non-quoted-field"),
            (
                "\"src=/a\"b,dst=/x",
                "parse error on line 1, column 8: extraneous or missing \" in quoted-field",
            ),
            (
                "dst=/x,\"src=/a",
                "parse error on line 1, column 15: extraneous or missing \" in quoted-field",
            ),
            ("dst=/x\nsrc=y", "parse error on line 1, column 7: line break in non-quoted-field"),
        ];
        for (text, want) in cases {
            assert_eq!(syntax(text), want, "{text:?}");
        }
    }

    /// V2.08, V2.10, V2.13 to V2.17, V2.22, V2.23: what does not go together.
    #[test]
    fn refused() {
        let cases = [
            ("type=bind,src=/s", "bind", "field Target must not be empty"),
            ("src=data", "volume", "field Target must not be empty"),
            ("type=bind,dst=/d", "bind", "field Source must not be empty"),
            (
                "type=bind,src=x,dst=/d",
                "bind",
                "invalid mount path: 'x' mount path must be absolute",
            ),
            ("src=data,dst=d", "volume", "invalid mount path: 'd' mount path must be absolute"),
            ("src=data,dst=/", "volume", "invalid specification: destination can't be '/'"),
            ("type=foo,dst=/d", "foo", "mount type unknown"),
            ("type=npipe,dst=/d", "npipe", "mount type unknown"),
            ("type=tmpfs,src=x,dst=/d", "tmpfs", "field Source must not be specified"),
            ("type=image,dst=/d", "image", "field Source must not be empty"),
            (
                "type=bind,src=/s,dst=/d,bind-propagation=foo",
                "bind",
                "invalid propagation mode: foo",
            ),
            (
                "src=data,dst=/d,volume-subpath=/sub",
                "volume",
                "subpath must be a relative path within the volume",
            ),
            (
                "src=data,dst=/d,volume-subpath=../x",
                "volume",
                "subpath must be a relative path within the volume",
            ),
            (
                "dst=/d,volume-subpath=sub",
                "volume",
                "must not set Subpath when using anonymous volumes",
            ),
            ("dst=/d,ro", "volume", "must not set ReadOnly mode when using anonymous volumes"),
        ];
        for (text, kind, reason) in cases {
            let want = format!("invalid mount config for type \"{kind}\": {reason}");
            assert_eq!(words(m(text)), want, "{text:?}");
        }
        assert!(words(m("type=volume,src=/tmp,dst=/d")).starts_with("create /tmp: \"/tmp\" incl"));
        assert!(words(m("src=d,dst=/d")).starts_with("create d: volume name is too short"));
    }

    /// V2.18: keys of one type stay with it.
    #[test]
    fn mixed() {
        let cases = [
            ("type=bind,src=/t,dst=/d,volume-nocopy", "volume", "bind"),
            ("type=volume,src=/t,dst=/d,bind-propagation=shared", "bind", "volume"),
            ("type=tmpfs,src=/t,dst=/d,volume-label=a=b", "volume", "tmpfs"),
            ("dst=/d,tmpfs-size=1m", "tmpfs", "volume"),
            ("dst=/d,image-subpath=x", "image", "volume"),
        ];
        for (text, family, kind) in cases {
            let want = format!("cannot mix '{family}-*' options with mount type '{kind}'");
            assert_eq!(syntax(text), want, "{text:?}");
        }
    }

    /// V2.12, V2.23: the keys of binds.
    #[test]
    fn binds() {
        let request = |more: &str| bind(m(&format!("type=bind,src=/s,dst=/d{more}")).unwrap());
        assert_eq!(request("").missing, MissingSource::Refuse);
        assert_eq!(request(",bind-create-src").missing, MissingSource::Create);
        assert_eq!(request(",bind-create-src=false").missing, MissingSource::Refuse);
        assert_eq!(request(",bind-create-src=0").missing, MissingSource::Refuse);
        assert_eq!(request("").propagation, None);
        let shared = request(",bind-propagation=RShared").propagation;
        assert_eq!(shared.map(|p| p.word()), Some("rshared"));
    }

    /// V2.25: how far read-only and the bind itself reach.
    #[test]
    fn recursion() {
        let with = |more: &str| m(&format!("type=bind,src=/s,dst=/d,{more}"));
        let cases = [
            ("bind-recursive=enabled", ReadOnly::No, Recursion::Enabled),
            ("bind-recursive=enabled,ro", ReadOnly::Recursive, Recursion::Enabled),
            ("bind-recursive=disabled", ReadOnly::No, Recursion::Disabled),
            ("ro,bind-recursive=disabled", ReadOnly::TopOnly, Recursion::Disabled),
            ("ro,bind-recursive=writable", ReadOnly::TopOnly, Recursion::Enabled),
            (
                "ro,bind-recursive=readonly,bind-propagation=rprivate",
                ReadOnly::RecursiveStrict,
                Recursion::Enabled,
            ),
        ];
        for (more, read_only, recursion) in cases {
            let request = with(more).unwrap();
            assert_eq!(request.read_only, read_only, "{more}");
            assert_eq!(bind(request).recursion, recursion, "{more}");
        }
        let refused = [
            (
                "bind-recursive=foo",
                "invalid value for bind-recursive: foo (must be \"enabled\", \"disabled\", \
                 \"writable\", or \"readonly\")",
            ),
            (
                "bind-recursive=writable",
                "option 'bind-recursive=writable' requires 'readonly' to be specified in \
                 conjunction",
            ),
            (
                "bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'readonly' to be specified in \
                 conjunction",
            ),
            (
                "ro,bind-recursive=readonly",
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be \
                 specified in conjunction",
            ),
        ];
        for (more, want) in refused {
            assert!(words(with(more)).ends_with(want), "{more}");
        }
    }

    /// V2.19, V2.20, V2.22, V2.29: the keys of volumes; maps accumulate.
    #[test]
    fn volumes() {
        let request = volume(
            m("src=data,dst=/d,volume-label=a=b,volume-label=c,volume-driver=nfsd,volume-nocopy,\
               \"volume-opt=o=size=1m,uid=0\",volume-opt=type=tmpfs,volume-subpath=sub/deep")
            .unwrap(),
        );
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(pairs(&request.labels), "a:b c:");
        assert_eq!(pairs(&request.driver_options), "o:size=1m,uid=0 type:tmpfs");
        assert_eq!(request.driver.as_deref(), Some("nfsd"));
        assert_eq!(request.copy_up, CopyUp::No);
        assert_eq!(request.subpath.map(|p| p.to_string()).as_deref(), Some("sub/deep"));
        assert_eq!(syntax("dst=/d,volume-label==x"), "invalid label '=x': empty name");
    }

    /// V2.17: a tmpfs of `--mount`.
    #[test]
    fn tmpfs_keys() {
        let options = |more: &str| tmpfs(m(&format!("type=tmpfs,dst=/d{more}")).unwrap());
        assert_eq!(options("").options, ["noexec", "nosuid", "nodev"]);
        let full = options(",tmpfs-size=64m,tmpfs-mode=1770,ro");
        assert_eq!(full.options, ["noexec", "nosuid", "nodev", "ro", "mode=1770", "size=67108864"]);
        assert_eq!((full.size_bytes, full.mode), (Some(64 << 20), Some(0o1770)));
        assert_eq!(options(",tmpfs-size=0,tmpfs-mode=0").options, ["noexec", "nosuid", "nodev"]);
        assert_eq!(m("type=tmpfs,dst=/d,ro").unwrap().read_only, ReadOnly::TopOnly);
        for (key, value) in [
            ("tmpfs-size", "10%"),
            ("tmpfs-size", "abc"),
            ("tmpfs-mode", "9"),
            ("tmpfs-mode", "+7"),
            ("tmpfs-mode", "77777777777777"),
        ] {
            let want = format!("invalid value for {key}: {value}");
            assert_eq!(syntax(&format!("type=tmpfs,dst=/d,{key}={value}")), want);
        }
    }

    /// A slip of the finger is told.
    #[test]
    fn hints() {
        assert_eq!(hint(m("dst=/d,sorce=x")), "did you mean source?");
        assert_eq!(hint(m("dst=/d,readony")), "did you mean readonly?");
        assert_eq!(hint(m("dst=/d,taget")), "did you mean target=…?");
        assert_eq!(hint(m("bind,dst=/d")), "did you mean type=bind?");
        assert_eq!(hint(m("dst=/d,rw")), "a mount is writable unless it is readonly: leave rw out");
        assert_eq!(hint(m("type=bnd,dst=/d")), "did you mean bind?");
        assert_eq!(hint(m("dst=/d,banana=x")), "");
        assert_eq!(
            hint(m("type=bind,src=/s,dst=/d,bind-propagation=shard")),
            "did you mean shared?"
        );
    }
}

mod tmpfs_flag {
    use super::*;

    fn options(text: &str) -> String {
        tmpfs(parse_tmpfs(text).unwrap()).options.join(",")
    }

    /// V3.01, V3.02: the defaults, and the last word of each kind.
    #[test]
    fn effective_options() {
        let cases = [
            ("/t", "noexec,nosuid,nodev"),
            ("/t:", "noexec,nosuid,nodev"),
            ("/t:ro", "noexec,nosuid,nodev,ro"),
            ("/t:ro,rw", "noexec,nosuid,nodev,rw"),
            ("/t:exec", "nosuid,nodev,exec"),
            ("/t:size=1g,noexec,exec", "nosuid,nodev,size=1g,exec"),
            ("/t:exec,noexec", "nosuid,nodev,noexec"),
            ("/t:defaults,suid,dev", "noexec,suid,dev"),
            ("/t:size=1m,size=50%", "noexec,nosuid,nodev,size=50%"),
            ("/t:noatime", "noexec,nosuid,nodev,noatime"),
            ("/t:shared,rprivate", "noexec,nosuid,nodev,rprivate"),
            (
                "/t:mode=700,uid=1,gid=2,nr_inodes=9,nr_blocks=9,mpol=bind:0",
                "noexec,nosuid,nodev,mode=700,uid=1,gid=2,nr_inodes=9,nr_blocks=9,mpol=bind:0",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(options(text), want, "{text:?}");
        }
        let request = parse_tmpfs("/t/:size=1m").unwrap();
        assert_eq!((request.target.as_str(), request.target_text.as_str()), ("/t", "/t/"));
        assert_eq!((request.mode.as_str(), request.read_only), ("size=1m", ReadOnly::No));
        assert_eq!(parse_tmpfs("/t:ro").unwrap().read_only, ReadOnly::TopOnly);
    }

    /// V3.03: words that no tmpfs has.
    #[test]
    fn refused_words() {
        for word in ["foo", "tmpcopyup", "huge=always", "bind", "remount", "size", "RO", "", " ro"]
        {
            let want = format!("invalid tmpfs option {word:?}");
            assert_eq!(words(parse_tmpfs(&format!("/t:exec,{word}"))), want);
        }
        assert_eq!(hint(parse_tmpfs("/t:sise=1m")), "did you mean size=1m?");
        assert_eq!(hint(parse_tmpfs("/t:noexe")), "did you mean noexec?");
        assert_eq!(hint(parse_tmpfs("/t:size")), "size needs a value: size=…");
    }

    /// V3.05: impossible places; a comma is part of the path.
    #[test]
    fn places() {
        let relative = |path| format!("invalid mount path: '{path}' mount path must be absolute");
        assert_eq!(words(parse_tmpfs("t")), relative("t"));
        assert_eq!(words(parse_tmpfs("")), relative(""));
        assert_eq!(words(parse_tmpfs(":size=1m")), relative(""));
        let root = "invalid specification: destination can't be '/'";
        assert_eq!(words(parse_tmpfs("/")), root);
        assert_eq!(words(parse_tmpfs("/a/..:ro")), root);
        assert_eq!(parse_tmpfs("/a,/b").unwrap().target.as_str(), "/a,/b");
    }
}

/// V7.05, V7.06: what `--volumes-from` takes.
#[test]
fn volumes_from() {
    let cases = [
        ("web", ReadOnly::No),
        ("web:", ReadOnly::No),
        ("web:rw", ReadOnly::No),
        ("web:ro", ReadOnly::Recursive),
        ("web:ro,z", ReadOnly::Recursive),
        ("web:Z", ReadOnly::No),
        ("web:cached", ReadOnly::No),
    ];
    for (text, read_only) in cases {
        let from = parse_volumes_from(text).unwrap();
        assert_eq!((from.container.as_str(), from.read_only), ("web", read_only), "{text:?}");
        assert_eq!(from.text, text);
    }
    for mode in ["nocopy", "rslave", "foo", "RO", "ro,rw", "ro:z"] {
        let said = words(parse_volumes_from(&format!("web:{mode}")));
        assert_eq!(said, format!("invalid mode: {mode}"));
    }
    let empty = "volumes-from specification cannot be an empty string";
    assert_eq!(words(parse_volumes_from("")), empty);
    assert_eq!(words(parse_volumes_from(":ro")), empty);
}

mod together {
    use super::*;

    fn request(flag: &str) -> MountRequest {
        match flag.split_once(' ').unwrap() {
            ("-v", text) => v(text),
            ("--mount", text) => m(text),
            (_, text) => parse_tmpfs(text),
        }
        .unwrap()
    }

    fn kept(flags: &[&str]) -> Result<Vec<String>, String> {
        combine(flags.iter().map(|flag| request(flag)).collect())
            .map(|kept| kept.into_iter().map(|request| request.flag).collect())
            .map_err(|e| e.to_string())
    }

    /// V1.28, V2.31, V3.06, V3.13: who wins, in the order of the command line.
    #[test]
    fn winners() {
        let cases: [(&[&str], &[&str]); 10] = [
            (
                &["-v data:/b", "-v data:/a", "--tmpfs /t"],
                &["-v data:/b", "-v data:/a", "--tmpfs /t"],
            ),
            (&["-v data:/d", "-v data:/d"], &["-v data:/d"]),
            (&["-v /s:/d:ro", "-v /s:/d:ro"], &["-v /s:/d:ro"]),
            (&["-v /d", "-v /d/"], &["-v /d"]),
            (&["-v /d", "-v data:/d"], &["-v data:/d"]),
            (&["-v data:/d", "-v /d"], &["-v data:/d"]),
            (&["-v /d", "-v /s:/d/"], &["-v /s:/d/"]),
            (&["-v /d", "--mount type=tmpfs,dst=/d"], &["--mount type=tmpfs,dst=/d"]),
            (&["--tmpfs /d:size=1m", "-v /x", "--tmpfs /d"], &["-v /x", "--tmpfs /d"]),
            (&["--tmpfs /d", "-v /d", "-v //d"], &["--tmpfs /d"]),
        ];
        for (flags, want) in cases {
            assert_eq!(kept(flags).unwrap(), want, "{flags:?}");
        }
    }

    /// V1.28, V2.31, V3.14: two that ask for one place.
    #[test]
    fn collisions() {
        let cases: [&[&str]; 9] = [
            &["-v /a:/data", "-v /b:/data"],
            &["-v data:/data", "-v data:/x/../data/"],
            &["-v data:/data", "-v data:/data:ro"],
            &["-v /a:/data", "--mount src=data,dst=/data"],
            &["--mount src=data,dst=/data", "--mount src=data,dst=/data"],
            &["--mount dst=/data", "--mount dst=/data"],
            &["-v /tmp:/data", "--tmpfs /data"],
            &["--tmpfs /data", "-v data:/data"],
            &["--tmpfs /data", "--mount type=tmpfs,dst=/data"],
        ];
        for flags in cases {
            assert_eq!(kept(flags), Err("Duplicate mount point: /data".into()), "{flags:?}");
        }
    }

    /// Both flags are named.
    #[test]
    fn collision_hints() {
        let hint = |flags: [&str; 2]| {
            combine(flags.map(request).into()).unwrap_err().hint().unwrap_or_default()
        };
        assert_eq!(
            hint(["-v /tmp:/data", "--tmpfs /data/"]),
            "-v /tmp:/data and --tmpfs /data/ ask for the same place"
        );
        let twice = "--mount src=data,dst=/data";
        assert_eq!(hint([twice, twice]), format!("{twice} is given twice"));
    }

    /// A record that was written can be read, and says the same.
    #[test]
    fn records() {
        for flag in [
            "-v data:/data:ro,nocopy",
            "-v ./s:/b:rshared,Z",
            "-v /anon",
            "--mount type=bind,src=/s,dst=/d,ro,bind-recursive=writable,bind-create-src",
            "--mount src=data,dst=/d,volume-opt=type=nfs,volume-label=a=b,volume-subpath=x",
            "--mount type=image,src=busybox,dst=/img,image-subpath=bin",
            "--mount type=tmpfs,dst=/t,tmpfs-size=1m",
            "--tmpfs /t:size=1m,exec",
        ] {
            let request = request(flag);
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<MountRequest>(&text).unwrap(), request, "{text}");
        }
    }
}
