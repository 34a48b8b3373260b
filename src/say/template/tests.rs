//! What Docker's CLI prints for the same templates and values (V4.14, V4.20, V12.23).

use serde_json::json;

use super::*;

fn container() -> Value {
    json!({
        "Id": "abcabcabc",
        "Name": "/web",
        "Created": "2024-01-01T00:00:00Z",
        "Args": ["-c", "x y"],
        "State": {"Status": "running", "Running": true, "Pid": 42, "ExitCode": 0},
        "Mounts": [
            {"Type": "bind", "Source": "/s", "Destination": "/d", "RW": true},
            {"Type": "volume", "Name": "n", "Source": "/v", "Destination": "/e", "RW": false},
        ],
        "HostConfig": {"Binds": null, "Memory": 67108864, "Tmpfs": {"/t": "size=1m"}},
        "Config": {"Env": ["A=1", "B=2"], "Labels": {"l": "1", "b": "<x>"}, "Volumes": null},
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "10.0.0.2"}}},
        "Ratio": 1.5,
    })
}

fn rendered(source: &str) -> Result<String, String> {
    Template::parse(source)
        .and_then(|template| template.render(&container()))
        .map_err(|e| e.to_string())
}

fn table(cases: &[(&str, &str)]) {
    for (source, want) in cases {
        assert_eq!(rendered(source).as_deref(), Ok(*want), "{source}");
    }
}

/// Fields, literals, and values in Go's print.
#[test]
fn values() {
    table(&[
        ("", ""),
        ("plain { } text", "plain { } text"),
        ("{{.Name}} {{ .Id }}", "/web abcabcabc"),
        ("{{.State.Running}} {{.State.Pid}} {{.Ratio}}", "true 42 1.5"),
        ("{{.Args}}", "[-c x y]"),
        ("{{.Config.Labels}}", "map[b:<x> l:1]"),
        ("{{.Config.Labels.nope}}", "<no value>"),
        ("{{.Config.Volumes}}", "map[]"),
        ("{{$.Name}} {{with .State}}{{$.Id}}{{end}}", "/web abcabcabc"),
        (r#"{{"a\tb\"\u00e9"}}{{`raw\n`}}{{'a'}}"#, "a\tb\"éraw\\n97"),
        ("{{1}} {{-2}} {{0x1f}} {{1.5}} {{1_000}} {{true}}", "1 -2 31 1.5 1000 true"),
        (
            "{{.NetworkSettings.Networks.bridge.IPAddress}}{{.NetworkSettings.Networks.other}}",
            "10.0.0.2<no value>",
        ),
    ]);
}

/// `json` is compact and escapes nothing that JSON does not require.
#[test]
fn json_function() {
    table(&[
        ("{{json .Args}}", "[\"-c\",\"x y\"]"),
        ("{{json .Config.Labels}}", "{\"b\":\"<x>\",\"l\":\"1\"}"),
        ("{{.Config.Labels | json}}", "{\"b\":\"<x>\",\"l\":\"1\"}"),
        ("{{json .HostConfig.Binds}}", "null"),
    ]);
}

/// `{{-` and `-}}` take blanks, but only with a blank of their own; comments print nothing.
#[test]
fn trimming_and_comments() {
    table(&[
        ("a {{- .Name -}} b", "a/webb"),
        ("a\n\t{{- .Name}} b", "a/web b"),
        ("{{.Name -}}   \n x", "/webx"),
        ("{{-3}} x", "-3 x"),
        ("a {{/* c }} */}} b", "a  b"),
        ("a {{- /* c */ -}} b", "ab"),
        ("{{.Name\n}}", "/web"),
        ("{{\"}}\"}}", "}}"),
    ]);
}

/// if, else if, with, and what is true.
#[test]
fn conditions() {
    table(&[
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if .HostConfig.Binds}}some{{else}}none{{end}}", "none"),
        (
            "{{if and .State.Running (eq .State.ExitCode 1)}}a{{else if .Name}}b{{else}}c{{end}}",
            "b",
        ),
        ("{{if eq 1 2}}a{{else if eq 1 3}}b{{else}}c{{end}}d", "cd"),
        ("{{with .State}}{{.Pid}}{{else}}no{{end}}", "42"),
        ("{{with .HostConfig.Binds}}{{.}}{{else}}{{.Name}}{{end}}", "/web"),
        ("{{with $x := .Name}}{{$x}}{{end}}", "/web"),
        ("{{with 0}}a{{else with 2}}{{.}}{{end}}", "2"),
        ("{{if 0.0}}a{{end}}{{if \"\"}}b{{end}}{{if 1}}c{{end}}", "c"),
    ]);
}

/// range over lists, maps and numbers, with variables, else, break and continue.
#[test]
fn loops() {
    table(&[
        ("{{range .Mounts}}{{.Type}}:{{.RW}} {{end}}", "bind:true volume:false "),
        ("{{range $i, $m := .Mounts}}{{$i}}={{$m.Source}},{{end}}", "0=/s,1=/v,"),
        ("{{range $e := .Args}}{{$e}};{{end}}", "-c;x y;"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "b=<x> l=1 "),
        ("{{range .HostConfig.Binds}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range .Args}}{{.}}{{break}}{{end}}", "-c"),
        ("{{range .Args}}{{if eq . \"-c\"}}{{continue}}{{end}}{{.}}{{end}}", "x y"),
        ("{{range .Mounts}}{{range $.Args}}{{.}}{{end}}{{end}}", "-cx y-cx y"),
    ]);
}

/// Variables, their scope, and assignment.
#[test]
fn variables() {
    table(&[
        ("{{$x := .Name}}{{$x}}{{$x = \"b\"}}{{$x}}", "/webb"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ("{{$n := 0}}{{range .Args}}{{$n = len .}}{{end}}{{$n}}", "3"),
        ("{{$s := .State}}{{$s.Pid}}", "42"),
    ]);
}

/// Go's functions and Docker's.
#[test]
fn functions() {
    table(&[
        ("{{join .Args \",\"}} {{split .Name \"/\"}}", "-c,x y [ web]"),
        ("{{upper .Name}} {{lower \"AB\"}} {{title \"ab cd\"}}", "/WEB ab Ab Cd"),
        ("{{len .Args}} {{len .Name}} {{len .HostConfig.Binds}}", "2 4 0"),
        ("{{index .Config.Env 0}} {{index .HostConfig.Tmpfs \"/t\"}}", "A=1 size=1m"),
        ("{{index .Config.Labels \"nope\"}}|{{index .Config.Volumes \"a\"}}|", "||"),
        ("{{(index .Mounts 0).Type}} {{index .Mounts 1 \"Name\"}}", "bind n"),
        ("{{.Config.Env | len}} {{.Name | printf \"%s-%s\" \"a\"}}", "2 a-/web"),
        (
            "{{eq 1 1}} {{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{ge 2.5 1.5}}",
            "true true true true true",
        ),
        ("{{eq .State.Status \"running\"}} {{gt \"b\" \"a\"}} {{le 2 1}}", "true true false"),
        ("{{or \"\" .Name}} {{and 1 0}} {{not .Name}} {{and 1 2}}", "/web 0 false 2"),
        ("{{or .Name .Nope}}{{and 0 .Nope}}", "/web0"),
        (
            "{{pad .Name 2 3}}|{{pad \"\" 2 3}}|{{truncate .Id 5}}|{{truncate .Name 50}}",
            "  /web   ||abcab|/web",
        ),
        ("{{slice .Id 0 3}} {{slice .Args 1}}", "abc [x y]"),
        ("{{print 1 2 \"a\" \"b\" 3}}|{{println .Name 1}}|", "1 2ab3|/web 1\n|"),
    ]);
}

/// printf, as far as people use it; what does not fit shows in the text.
#[test]
fn printf() {
    table(&[
        (
            "{{printf \"%s|%7s|%-7s|%q|%v\" .Name .Name .Name .Name .Args}}",
            "/web|   /web|/web   |\"/web\"|[-c x y]",
        ),
        (
            "{{printf \"%d|%05d|%x|%t|%%|%.1f|%+d\" 3 42 255 true 1.25 7}}",
            "3|00042|ff|true|%|1.2|+7",
        ),
        ("{{printf \"%.3s|%6.2f|\" .Id 1.5}}", "abc|  1.50|"),
        ("{{printf \"%d\" .Name}} {{printf \"%s\" 3}}", "%!d(string=/web) %!s(int=3)"),
        (
            "{{printf \"%s\"}} {{printf \"x\" 1}} {{printf \"%z\" 1}}",
            "%!s(MISSING) x%!(EXTRA int=1) %!z(int=1)",
        ),
        ("{{printf \"%\"}}", "%!(NOVERB)"),
    ]);
}

/// What is no template, in Go's words.
#[test]
fn syntax_errors() {
    let cases = [
        ("{{", "unclosed action"),
        ("{{.Name", "unclosed action"),
        ("{{.Name}", "bad character U+007D '}'"),
        ("{{foo}}", "function \"foo\" not defined"),
        ("{{.Name | foo}}", "function \"foo\" not defined"),
        ("{{if .Name}}", "unexpected EOF"),
        ("{{if .Name}}{{else}}", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{else}}", "unexpected {{else}}"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "unexpected {{else}}"),
        ("{{\"a}}", "unterminated quoted string"),
        ("{{\"\\q\"}}", "invalid syntax"),
        ("{{}}", "missing value for command"),
        ("{{if}}{{end}}", "missing value for if"),
        ("{{range}}x{{end}}", "missing value for range"),
        ("{{(.Name}}", "unclosed left paren"),
        ("{{.Name)}}", "unexpected right paren"),
        ("{{()}}", "missing value for parenthesized pipeline"),
        ("{{$x}}", "undefined variable \"$x\""),
        ("{{$x := $x}}", "undefined variable \"$x\""),
        ("{{if $x := 1}}{{end}}{{$x}}", "undefined variable \"$x\""),
        ("{{/* c", "unclosed comment"),
        ("{{/* c */ x}}", "comment ends before closing delimiter"),
        ("{{'ab'}}", "malformed character constant: 'ab'"),
        ("{{1a}}", "bad number syntax: \"1a\""),
        ("{{| .Name}}", "unexpected \"|\" in command"),
        ("{{&}}", "unexpected \"&\" in command"),
        ("{{break}}", "{{break}} outside {{range}}"),
        ("{{template \"x\"}}", "{{template}} is not supported"),
    ];
    for (source, problem) in cases {
        let want = format!("template parsing error: template: :1: {problem}");
        assert_eq!(rendered(source), Err(want), "{source}");
    }
    let late = rendered("a\nb\n{{foo}}").unwrap_err();
    assert_eq!(late, "template parsing error: template: :3: function \"foo\" not defined");
}

/// A template, the place that the error names, and the error.
type Wrong = (&'static str, &'static str, &'static str, &'static str);

fn wrong(cases: &[Wrong]) {
    for (source, place, at, problem) in cases {
        let want = format!(
            "template parsing error: template: :{place}: executing \"\" at <{at}>: {problem}"
        );
        assert_eq!(rendered(source), Err(want), "{source}");
    }
}

/// V4.14: fields that are not there, and where.
#[test]
fn unknown_fields() {
    let nope = "map has no entry for key \"Nope\"";
    wrong(&[
        ("{{.Nope}}", "1:2", ".Nope", nope),
        ("a\n {{.Nope}}", "2:3", ".Nope", nope),
        ("{{.State.Nope}}", "1:8", ".State.Nope", nope),
        ("{{range .Mounts}}{{.Nope}}{{end}}", "1:19", ".Nope", nope),
        ("{{.Name.Foo}}", "1:7", ".Name.Foo", "can't evaluate field Foo in type string"),
        (
            "{{.HostConfig.Binds.X}}",
            "1:13",
            ".HostConfig.Binds.X",
            "can't evaluate field X in type nil",
        ),
        ("{{.Name \"x\"}}", "1:2", ".Name", "Name has arguments but cannot be invoked as function"),
        ("{{1 2}}", "1:2", "1 2", "can't give argument to non-function 1"),
        ("{{nil}}", "1:2", "nil", "nil is not a command"),
        ("{{range .Name}}{{end}}", "1:8", ".Name", "range can't iterate over /web"),
    ]);
}

/// V4.14: functions that refuse their arguments.
#[test]
fn refused_calls() {
    let cases = [
        ("index .Mounts 5", "error calling index: index out of range: 5"),
        ("index .Mounts -1", "error calling index: index out of range: -1"),
        ("index .Name \"x\"", "error calling index: cannot index slice/array with type string"),
        ("len 3", "error calling len: len of type int"),
        ("eq 1 \"a\"", "error calling eq: incompatible types for comparison"),
        ("len", "wrong number of args for len: want 1 got 0"),
        ("and", "wrong number of args for and: want at least 1 got 0"),
        ("upper 1", "wrong type for value; expected string; got int"),
        ("pad \"a\" 99999999 0", "error calling pad: width 99999999 is out of range"),
        ("printf \"%9999999d\" 1", "error calling printf: width 9999999 is out of range"),
    ];
    for (call, problem) in cases {
        let want = format!(
            "template parsing error: template: :1:2: executing \"\" at <{call}>: {problem}"
        );
        assert_eq!(rendered(&format!("{{{{{call}}}}}")), Err(want));
    }
}

/// Deep nesting is refused before it is a matter of the stack.
#[test]
fn nesting() {
    let parens = format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000));
    let blocks = "{{if 1}}".repeat(100_000);
    for source in [parens, blocks] {
        assert!(rendered(&source).unwrap_err().ends_with("more than 100 levels of nesting"));
    }
    let fine = format!("{}x{}", "{{if 1}}".repeat(99), "{{end}}".repeat(99));
    assert_eq!(rendered(&fine).as_deref(), Ok("x"));
    let chain = format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(100_000));
    assert!(rendered(&chain).unwrap_err().ends_with("more than 100 levels of nesting"));
}

/// Whatever the text is, there is an answer and no panic.
#[test]
fn any_text() {
    let parts = [
        "{{", "}}", "-", " ", ".", ".Name", "$", "$x", ":=", "=", "(", ")", "|", "\"", "`", "'",
        "1", "é", "if", "range", "else", "end", "/*", "*/", "index", "printf", ",", "\n", "\\",
        "}",
    ];
    let mut state = 1u32;
    for _ in 0..20_000 {
        let mut source = String::new();
        for _ in 0..12 {
            // A linear congruential generator: the same texts every time.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            source += parts[(state >> 16) as usize % parts.len()];
        }
        let _ = rendered(&source);
    }
}

/// A method looks its argument up in a table that is no field.
#[test]
fn methods() {
    let row = Row {
        fields: json!({"Name": "x", "Labels": "k=v"}),
        methods: vec![("Label", json!({"k": "v"}))],
    };
    let render = |source: &str| Template::parse(source).and_then(|t| t.render_row(&row));
    assert_eq!(
        render("{{.Label \"k\"}}|{{.Label \"z\"}}|{{json .}}").unwrap(),
        "v||{\"Labels\":\"k=v\",\"Name\":\"x\"}"
    );
    assert_eq!(render("{{range .Name | print | len}}{{end}}{{\"k\" | $.Label}}").unwrap(), "v");
    assert!(render("{{.Label 1}}").is_err());
    assert!(render("{{.Name \"k\"}}").is_err());
}
