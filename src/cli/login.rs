//! `rrun login`: a name and a password for a registry, tried and kept.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

use super::{Context, Outcome};
use crate::image::registry::credential::{self, Credential, Kept};
use crate::image::registry::{Client, Host};
use crate::say::failure::Failure;

/// Log in to a registry
///
/// The name and the password are tried, then kept in Docker's config.json ($DOCKER_CONFIG or
/// ~/.docker), or by the program that this file names. Without a registry it is docker.io.
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// The name
    #[arg(short, long)]
    username: Option<String>,
    /// The password; others can see it while the command runs
    #[arg(short, long)]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// The registry, as host[:port]
    #[arg(value_name = "SERVER")]
    server: Option<String>,
}

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let server = cmd.server.as_deref().unwrap_or_default();
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("log in to {}", cmd.server.as_deref().unwrap_or("docker.io")), cause)
    };
    let host = Host::parse(server).map_err(|e| failed(&e))?;
    let wanted = format!("log in to {host}");
    let told = |e| Failure::new(wanted.as_str(), e);
    if cmd.password.is_some() {
        cx.out.warning("Using --password via the CLI is insecure. Use --password-stdin.");
    }
    let credential = match (&cmd.username, &cmd.password, cmd.password_stdin) {
        (_, Some(_), true) => {
            return Err(failed(&"--password and --password-stdin are mutually exclusive"));
        }
        (None, _, true) => return Err(failed(&"Must provide --username with --password-stdin")),
        (None, None, false) => match credential::find(&host).map_err(|e| failed(&e))? {
            Some(kept) => {
                cx.out.line("Authenticating with existing credentials...").map_err(told)?;
                kept
            }
            None => ask(cmd, cx).map_err(|e| failed(&e))?,
        },
        _ => ask(cmd, cx).map_err(|e| failed(&e))?,
    };
    let client = Client::new(host.clone(), Some(credential.clone()));
    client
        .and_then(|client| client.check())
        .map_err(|e| super::registry_failure(&wanted, &e, &host))?;
    if let Kept::Plainly(path) = credential::keep(&host, &credential).map_err(|e| failed(&e))? {
        cx.out.warning(format_args!(
            "Your credentials are stored unencrypted in '{}'.",
            path.display()
        ));
    }
    cx.out.line("Login Succeeded").map_err(told)?;
    Ok(0)
}

fn ask(cmd: &Cmd, cx: &Context) -> Result<Credential, String> {
    let asks = cmd.username.is_none() || (cmd.password.is_none() && !cmd.password_stdin);
    if asks && !io::stdin().is_terminal() {
        return Err("Cannot perform an interactive login from a non TTY device".into());
    }
    let user = match &cmd.username {
        Some(user) => user.clone(),
        None => {
            prompt("Username: ").map_err(|e| e.to_string())?;
            line(io::stdin().lock()).map_err(|e| e.to_string())?
        }
    };
    let password = match (&cmd.password, cmd.password_stdin) {
        (Some(password), _) => password.clone(),
        (None, true) => {
            let mut text = String::new();
            let stdin = io::stdin().lock().take(MAX_PASSWORD_BYTES);
            { stdin }.read_to_string(&mut text).map_err(|e| e.to_string())?;
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
        (None, false) => {
            prompt("Password: ").map_err(|e| e.to_string())?;
            let password = unseen().map_err(|e| e.to_string());
            cx.out.text("\n").map_err(|e| e.to_string())?;
            password?
        }
    };
    match (user.is_empty(), password.is_empty()) {
        (true, _) => Err("username is empty".into()),
        (_, true) => Err("password is empty".into()),
        _ => Ok(Credential::Password { user, password }),
    }
}

const MAX_PASSWORD_BYTES: u64 = 1 << 20;
/// ^C, where it is a letter like any other.
const INTERRUPT: u8 = 3;

fn prompt(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn line(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    io::BufReader::new(input.take(MAX_PASSWORD_BYTES)).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// A line that is typed without being shown.
///
/// ^C is taken as the end of the line, not as a signal: the terminal gets its modes back first.
fn unseen() -> io::Result<String> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    modes.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
    tcsetattr(&stdin, OptionalActions::Flush, &modes)?;
    let mut text = Vec::new();
    let mut letter = [0];
    let read = loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(&stdin, &mut letter)) {
            Ok(1) if letter[0] == INTERRUPT => break Err(io::Error::other("it was interrupted")),
            Ok(1) if letter[0] != b'\n' => text.push(letter[0]),
            Ok(_) => break Ok(()),
            Err(e) => break Err(e.into()),
        }
    };
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    read?;
    String::from_utf8(text).map_err(io::Error::other)
}
