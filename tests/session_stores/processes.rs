//! Nodes that are processes of their own: this program, started again.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clearance::session::nodes::{ChannelHealth, RedisChannel};
use clearance::session::{RedisSessionStore, SessionStore};
use clearance::{
    Db, Key, RequestContext, Sessions, SourceError, Subject, ViewerSource, async_trait,
};
use http::{HeaderMap, HeaderValue};

use crate::engines::{Engine, engine};
use crate::node::Member;
use crate::stores::{fresh, is_redis, redis_url, store};

const URL: &str = "CLEARANCE_TEST_NODE_URL";
const PREFIX: &str = "CLEARANCE_TEST_NODE_PREFIX";
const KEY: &str = "CLEARANCE_TEST_NODE_KEY";
const ROLES: &str = "CLEARANCE_TEST_NODE_ROLES";

/// So long that nothing in a test is learned by it.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(200);

fn has_channel() -> bool {
    is_redis() || engine() == Engine::Postgres
}

/// Reads each role from a file.
struct Files(PathBuf);

#[async_trait]
impl ViewerSource<Member> for Files {
    async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
        let role = std::fs::read_to_string(self.0.join(subject.as_str())).unwrap();
        let name = subject.as_str().to_owned();
        Ok(Some(Member { name, role }))
    }
}

/// The sessions of a node as its environment describes them.
async fn node() -> Sessions<Member> {
    let [url, prefix, roles] = [URL, PREFIX, ROLES].map(|name| std::env::var(name).unwrap());
    let key = Key::from_env(KEY).unwrap();
    let files = Files(roles.into());
    let build = |store: Arc<dyn SessionStore>| {
        Sessions::builder(key, store, files)
            .app_url("https://app.example")
            .cache_bound(if has_channel() { LONG } else { SHORT })
    };
    let builder = if is_redis() {
        let store = RedisSessionStore::connect(&url).await.unwrap();
        let channel = RedisChannel::connect(&url).await.unwrap();
        let builder = build(Arc::new(store.with_prefix(&*prefix)));
        builder.nodes(channel.with_name(&*prefix))
    } else {
        let db = Db::connect(&url).await.unwrap();
        let builder = build(Arc::new(db.session_store()));
        match engine() {
            Engine::Postgres => builder.nodes(db.node_channel().unwrap()),
            Engine::Sqlite | Engine::Mysql => builder,
        }
    };
    builder.build().unwrap()
}

/// Does what each line of its input says, and answers with a line.
#[test]
fn in_a_child_a_node_runs() {
    if std::env::var_os(URL).is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sessions = runtime.block_on(node());
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (word, rest) = line.split_once(' ').unwrap();
        let subject = Subject::new(rest);
        let answer = match word {
            "health" => match sessions.health().channel {
                ChannelHealth::Lost { .. } => "lost".to_owned(),
                ChannelHealth::None | ChannelHealth::Connected { .. } | _ => "ready".to_owned(),
            },
            "sign-in" => {
                let session = runtime.block_on(sessions.create(&subject)).unwrap();
                session
                    .into_set_cookies()
                    .remove(0)
                    .to_str()
                    .unwrap()
                    .to_owned()
            }
            "revoke" => {
                let ended = runtime.block_on(sessions.revoke_all(&subject)).unwrap();
                ended.to_string()
            }
            "changed" => {
                sessions.viewer_changed(&subject);
                "told".to_owned()
            }
            "role" => {
                let mut headers = HeaderMap::new();
                headers.insert("cookie", HeaderValue::from_str(rest).unwrap());
                let request = RequestContext::new(&sessions, &headers);
                let verified = runtime.block_on(request.verify_session::<Member>());
                match verified {
                    Ok(verified) => verified.viewer().role.clone(),
                    Err(error) => error.status().to_string(),
                }
            }
            other => panic!("{other}"),
        };
        println!("\n= {answer}");
    }
}

struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "processes::in_a_child_a_node_runs",
                "--nocapture",
            ])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take();
        Self {
            child,
            input,
            output,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input.as_ref().unwrap(), "{line}").unwrap();
        let answers = self.output.by_ref().map(Result::unwrap);
        let mut answers = answers.filter_map(|line| Some(line.strip_prefix("= ")?.to_owned()));
        answers.next().unwrap()
    }

    fn ask_until(&mut self, line: &str, wanted: &str) {
        while self.ask(line) != wanted {}
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn rf_4_processes_learn_of_a_revocation_and_of_a_role_that_changed() {
    let kept = store().await;
    let roles = tempfile::tempdir().unwrap();
    let url = match &kept.database {
        Some(database) => database.url.clone(),
        None => redis_url(),
    };
    let (prefix, key) = (fresh("cluster"), Key::generate().unwrap().expose_text());
    let environment = [
        (URL, &*url),
        (PREFIX, &prefix),
        (KEY, &key),
        (ROLES, roles.path().to_str().unwrap()),
    ];
    for count in [2, 3] {
        let role = |role: &str| std::fs::write(roles.path().join("ada"), role).unwrap();
        let mut nodes: Vec<Process> = (0..count).map(|_| Process::start(&environment)).collect();
        for node in &mut nodes {
            node.ask_until("health -", "ready");
        }
        role("user");
        let (first, others) = nodes.split_first_mut().unwrap();
        let cookie = first.ask("sign-in ada");
        let asks = format!("role {cookie}");
        for node in &mut *others {
            assert_eq!(node.ask(&asks), "user");
        }
        role("admin");
        let begun = Instant::now();
        assert_eq!(first.ask("changed ada"), "told");
        for node in &mut *others {
            node.ask_until(&asks, "admin");
        }
        let changed = begun.elapsed();
        let begun = Instant::now();
        assert_eq!(first.ask("revoke ada"), "1");
        for node in &mut *others {
            node.ask_until(&asks, "401");
        }
        println!(
            "{count} processes: a role in {changed:?}, a revocation in {:?}",
            begun.elapsed()
        );
        assert_eq!(first.ask(&asks), "401");
    }
}
