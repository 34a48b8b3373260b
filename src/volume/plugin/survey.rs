//! Asking all plugins at once, for a moment: what they have that rrun was never told of.
//!
//! Docker asks every plugin for every name that it does not know, and waits long for dead ones
//! (V9.09). Here only the commands that show or remove volumes ask, and none waits longer than
//! `MOMENT`, however many plugins there are.

use std::time::{Duration, Instant};

use super::PluginError;
use super::discovery::Plugin;
use super::protocol::{Patience, RemoteVolume, Scope, Session};

/// How long all plugins together are waited for.
const MOMENT: Duration = Duration::from_secs(1);

/// What one plugin has.
#[derive(Debug)]
pub struct Found {
    /// The plugin.
    pub plugin: Plugin,
    /// Its volumes, and whose they are.
    pub volumes: Result<(Vec<RemoteVolume>, Scope), PluginError>,
}

/// The volumes of all plugins.
pub fn volumes() -> Vec<Found> {
    let answers = ask_all(|session| Ok((session.list()?, session.scope()?)));
    answers.into_iter().map(|(plugin, volumes)| Found { plugin, volumes }).collect()
}

/// The plugin that has a volume called `name`, and the volume. One that does not answer has none.
pub fn owner(name: &str) -> Option<(Plugin, RemoteVolume, Scope)> {
    let answers = ask_all(|session| Ok((session.get(name)?, session.scope()?)));
    answers.into_iter().find_map(|(plugin, answer)| match answer {
        Ok((Some(volume), scope)) => Some((plugin, volume, scope)),
        _ => None,
    })
}

/// One thread a plugin. Only for commands that make no container: a process that clones never
/// had a thread.
fn ask_all<T: Send>(
    question: impl Fn(&Session<'_>) -> Result<T, PluginError> + Sync,
) -> Vec<(Plugin, Result<T, PluginError>)> {
    let patience = Patience::Until(Instant::now() + MOMENT);
    let plugins = Plugin::all();
    let ask = |plugin: &Plugin| question(&Session::open(plugin, patience)?);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = plugins.iter().map(|plugin| scope.spawn(|| ask(plugin))).collect();
        asked.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let pairs = plugins.into_iter().zip(answers);
    pairs.filter_map(|(plugin, answer)| Some((plugin, answer.ok()?))).collect()
}
