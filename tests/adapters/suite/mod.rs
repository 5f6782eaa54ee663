//! One suite of requests and answers, for every framework.
//!
//! A framework's test serves these endpoints, each in its own idiom, and calls [`tests`]:
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /required` | takes the framework's `Verified<Member>`, counts itself in `app.handled`, says its name |
//! | `GET /optional` | takes an optional `Verified<Member>`, says its name or `nobody` |
//! | `GET /current` | takes `Current<Member>`, says its name |
//! | `GET /deep` | takes nothing, gives [`deep`] |
//! | `GET /explicit` | takes the framework's `RequestContext`, gives [`explicit`] |
//! | `POST /sign-in/{name}` | [`sign_in`], then 200 with [`SIGNED_IN`] as JSON, a cookie of its own, [`OWN_COOKIE`], and `Cache-Control: public, s-maxage=600` |
//! | `POST /sign-out`, `GET /sign-out` | [`sign_out`], then 200 |
//! | `GET /streamed` | a body of [`parts`] with `Cache-Control: public` |
//! | `GET /events` | [`parts`] as server-sent events, each part one `data:` |
//! | `GET /endless` | a body of [`endless`] |
//! | `POST /stalled` | verifies, then reads the whole body, then says `read` |
//! | `GET /public` | `for everybody` with `Cache-Control: public, max-age=60` |
//! | `GET /stray`, `GET /spawned`, `GET /forked` | [`stray`], [`spawned`], [`forked`] |
//! | `GET /panic` | verifies, then panics |
//! | `POST /notes` | takes `Untrusted<NewNote>`, gives what [`Notes::add`] returns as JSON |
//! | `GET /notes` | what [`Notes::all`] returns, as JSON |
//! | `GET /notes/add` | [`Notes::add`] with a note of its own: a write by a safe method |
//! | `GET /page`, `GET /api`, `GET /answered` | each behind the gate of that name in `app`; counts itself, says `inside` |
//! | `GET /state` | what `clearance::route::session_state::<Member>` gives |
//! | `GET /sign-in` | says `a form` |
//!
//! Everything is inside of `app.layer`, if there is one, and inside of that are `app.gates`, the last of
//! them outermost.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use clearance::route::{Gate, GroupRule, Protect};
use clearance::{
    Db, Dto, Entity, Input, RequestContext, Result, SessionLayer, Subject, Untrusted, repository,
    verify_session,
};
use futures_util::stream::{self, Stream};
use tokio::sync::Notify;

pub(crate) use crate::support::{Member, Rig, count};

pub(crate) mod answers;
pub(crate) mod attacks;
pub(crate) mod gates;
pub(crate) mod scopes;

pub(crate) const SIGNED_IN: &str = r#"{"signed":"in"}"#;
pub(crate) const OWN_COOKIE: &str = "something=important";

/// What a framework's server is made of.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) handled: Arc<AtomicUsize>,
    pub(crate) notes: Notes,
    pub(crate) layer: Option<SessionLayer<Member>>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) page: Gate,
    pub(crate) api: Gate,
    pub(crate) answered: Gate,
    /// Has a body that waits write a line, where a server notices by writing alone that a client is gone.
    pub(crate) beat: Arc<Notify>,
}

impl App {
    pub(crate) fn handle(&self) {
        self.handled.fetch_add(1, Ordering::SeqCst);
    }
}

/// A framework's server, and whom it knows.
pub(crate) struct Server {
    pub(crate) rig: Arc<Rig>,
    pub(crate) app: App,
    pub(crate) address: SocketAddr,
    client: reqwest::Client,
    _database: tempfile::TempDir,
}

/// Where a framework's server is, and what it is spoken to in.
pub(crate) struct Address {
    socket: SocketAddr,
    http2: bool,
}

impl Address {
    /// In HTTP/2 from the first byte.
    #[allow(dead_code, reason = "most frameworks are served over HTTP/1.1")]
    pub(crate) fn http2(socket: SocketAddr) -> Self {
        Self {
            socket,
            http2: true,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self {
            socket,
            http2: false,
        }
    }
}

/// Starts the server of a framework on a loopback port; it ends with the test's runtime.
pub(crate) trait Serve {
    async fn serve(self, app: App) -> Address;
}

impl<F, A> Serve for F
where
    F: AsyncFnOnce(App) -> A,
    A: Into<Address>,
{
    async fn serve(self, app: App) -> Address {
        self(app).await.into()
    }
}

impl Server {
    pub(crate) async fn start(serve: impl Serve) -> Self {
        Self::with(serve, Rig::new(), |_, _| {}).await
    }

    /// A server over this rig, changed before it starts.
    pub(crate) async fn with(
        serve: impl Serve,
        rig: Rig,
        change: impl FnOnce(&mut App, &Rig),
    ) -> Self {
        let (database, notes) = Notes::new().await;
        let page = Protect::<Member>::page("/sign-in").require(|member| member.name == "ada");
        let groups = GroupRule::any_of(["staff"]).unwrap();
        let api = Protect::<Member>::api().groups(groups);
        let answered = Protect::<Member>::page("/sign-in")
            .require(|member| member.name == "ada")
            .on_denied(|_, why| {
                let mut answer = http::Response::new(format!("{why:?}"));
                *answer.status_mut() = http::StatusCode::IM_A_TEAPOT;
                answer
            });
        let mut app = App {
            handled: Arc::default(),
            notes,
            layer: Some(SessionLayer::new(rig.sessions.clone())),
            gates: Vec::new(),
            page: page.build().unwrap(),
            api: api.build().unwrap(),
            answered: answered.build().unwrap(),
            beat: Arc::default(),
        };
        change(&mut app, &rig);
        let Address { socket, http2 } = serve.serve(app.clone()).await;
        let mut client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        if http2 {
            client = client.http2_prior_knowledge();
        }
        Self {
            rig: Arc::new(rig),
            app,
            address: socket,
            client: client.build().unwrap(),
            _database: database,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn handled(&self) -> usize {
        count(&self.app.handled)
    }

    /// A request that carries a cookie, if that is not empty.
    pub(crate) fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        cookie: &str,
    ) -> reqwest::RequestBuilder {
        let request = self.client.request(method, self.url(path));
        if cookie.is_empty() {
            request
        } else {
            request.header("cookie", cookie)
        }
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> reqwest::Response {
        let request = self.request(reqwest::Method::GET, path, cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str) -> reqwest::Response {
        let request = self.request(reqwest::Method::POST, path, cookie);
        request.send().await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str, cookie: &str) -> (u16, String) {
        let response = self.get(path, cookie).await;
        let status = response.status().as_u16();
        (status, response.text().await.unwrap())
    }

    /// Waits until no request is under way any more; the time that takes is the server's.
    pub(crate) async fn idle(&self) {
        while count(&self.rig.members.alive) > 0 {
            self.app.beat.notify_waiters();
            tokio::task::yield_now().await;
        }
    }
}

/// All values of a header.
pub(crate) fn header<'a>(response: &'a reqwest::Response, name: &str) -> Vec<&'a str> {
    let values = response.headers().get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

/// Checks deep inside, as a repository does, whatever the framework around it is.
pub(crate) async fn deep() -> Result<String> {
    Ok(verify_session::<Member>().await?.viewer().name.clone())
}

/// The same with the request in hand, and in nobody's scope.
pub(crate) async fn explicit(request: RequestContext) -> Result<String> {
    let verified = tokio::spawn(async move { request.verify_session::<Member>().await });
    Ok(verified.await.unwrap()?.viewer().name.clone())
}

pub(crate) async fn sign_in(request: &RequestContext, name: &str) -> Result<()> {
    request.sign_in(&Subject::new(name)).await.map(drop)
}

pub(crate) async fn sign_out(request: &RequestContext) -> Result<()> {
    request.sign_out().await
}

/// Five parts, each of which asks anew who the request's viewer is.
pub(crate) fn parts() -> impl Stream<Item = String> + Send + 'static {
    stream::unfold(0, |part| async move {
        if part == 5 {
            return None;
        }
        tokio::task::yield_now().await;
        Some((name_or_status().await, part + 1))
    })
}

/// One part, and each further one when [`go_on`] says so.
pub(crate) fn endless() -> impl Stream<Item = String> + Send + 'static {
    stream::unfold(None, |held: Option<Arc<Notify>>| async move {
        if let Some(held) = &held {
            held.notified().await;
        }
        let part = name_or_status().await;
        let held = held.unwrap_or_else(|| waiting(part.trim_end_matches(';')));
        Some((part, Some(held)))
    })
}

/// Lets the body of `/endless` that this user asked for go on by one part.
pub(crate) fn go_on(user: &str) {
    waiting(user).notify_one();
}

/// What that body waits for. Tests run side by side, so each has users of its own.
fn waiting(user: &str) -> Arc<Notify> {
    static WAITING: Mutex<BTreeMap<String, Arc<Notify>>> = Mutex::new(BTreeMap::new());
    let mut waiting = WAITING.lock().unwrap();
    Arc::clone(waiting.entry(user.to_owned()).or_default())
}

async fn name_or_status() -> String {
    match deep().await {
        Ok(name) => format!("{name};"),
        Err(error) => format!("{};", error.status()),
    }
}

/// A task that nobody gave the request's scope.
pub(crate) async fn stray() -> Result<String> {
    tokio::spawn(deep()).await.unwrap()
}

/// One that the library has given it.
pub(crate) async fn spawned() -> Result<String> {
    clearance::spawn(deep())?.await.unwrap()
}

/// What goes on when the response is sent.
pub(crate) async fn forked(request: &RequestContext) -> Result<String> {
    tokio::spawn(request.fork().scope(deep())).await.unwrap()
}

#[derive(Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    read_if(row.author == viewer.name),
    create_if(row.author == viewer.name)
)]
pub(crate) struct Note {
    #[entity(key)]
    id: i64,
    author: String,
    text: String,
}

#[derive(Dto)]
#[dto(entity = Note, default = visible)]
pub(crate) struct NoteView {
    id: i64,
    text: String,
}

#[derive(Input)]
#[input(entity = Note)]
#[preset(author = viewer.name.clone())]
pub(crate) struct NewNote {
    #[writable]
    text: String,
}

#[derive(Clone)]
pub(crate) struct Notes {
    db: Db,
}

#[repository(viewer = Member)]
impl Notes {
    #[authenticated(access: Write)]
    pub(crate) async fn add(&self, note: Untrusted<NewNote>) -> Result<NoteView> {
        let note = note.open(&access)?;
        self.db.writer(&access).create(note).returning().await
    }

    #[authenticated(access)]
    pub(crate) async fn all(&self) -> Result<Vec<NoteView>> {
        self.db.reader(&access).all(NoteView::select()).await
    }
}

impl Notes {
    /// Notes in a file that goes with the directory.
    async fn new() -> (tempfile::TempDir, Self) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/notes.db?mode=rwc", directory.path().display());
        #[expect(clippy::disallowed_methods, reason = "a test makes its own table")]
        let db = {
            let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
            let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY, author TEXT NOT NULL, text TEXT NOT NULL)";
            sqlx::query(table).execute(&pool).await.unwrap();
            Db::unguarded_pool(pool, "the pool that made the table")
        };
        (directory, Self { db })
    }

    /// What a `GET` tries to write.
    pub(crate) async fn add_one(&self) -> Result<NoteView> {
        self.add(Untrusted::json(r#"{"text":"by a link"}"#)).await
    }
}

/// Makes a test of each case of the suite.
macro_rules! tests {
    ($serve:path) => {
        $crate::suite::tests!($serve:
            answers: vs_18_vs_19_fw_01_op_16_the_viewer_comes_by_every_way,
            answers: vs_12_vs_16_sr_08_sr_09_sr_10_sr_20_nobody_gets_401_from_every_guarded_endpoint,
            answers: vs_20_op_22_an_optional_viewer_is_nobody_only_for_a_definite_refusal,
            answers: rf_6_a_store_that_is_down_is_503_everywhere,
            answers: ck_11_fw_11_the_applications_own_cookies_and_headers_stay,
            answers: cs_04_a_get_signs_nobody_out,
            answers: asvs_3_5_3_a_get_writes_nothing,
            answers: vs_13_sr_06_asvs_3_5_2_a_body_is_read_by_who_may_send_it_alone,
            answers: fw_07_fw_08_the_state_of_the_session_for_a_pages_scripts,
            answers: cb_8_what_depends_on_nobody_may_be_cached,
            scopes: rf_13_two_hundred_requests_of_twenty_users_keep_their_viewers,
            scopes: rf_13_a_task_has_the_scope_that_it_was_given,
            scopes: rf_14_a_revocation_ends_what_is_still_streamed,
            scopes: rf_14_a_body_that_goes_on_hears_of_other_nodes_within_the_bound,
            scopes: vs_03_no_context_is_left_when_a_client_goes_away,
            scopes: vs_03_no_context_is_left_by_a_panic,
            scopes: vs_03_a_body_that_stalls_holds_no_context_when_its_client_is_gone,
            gates: op_03_op_15_op_30_rules_send_pages_to_the_sign_in_and_refuse_apis,
            gates: op_06_sr_15_sr_24_rules_ask_no_store,
            gates: op_04_who_has_a_session_leaves_the_sign_in_page_and_never_in_circles,
            gates: rb_03_rb_04_rb_14_op_19_guards_of_pages_send_browsers_away,
            gates: op_15_a_guard_in_a_nested_route_knows_the_way_back,
            gates: rb_09_rb_15_vs_22_op_18_guards_of_apis_answer_401_and_403,
            gates: rb_17_rb_18_the_applications_own_answer_takes_the_handlers_place,
            gates: cs_03_asvs_3_5_1_what_another_site_sends_is_refused,
            gates: op_27_every_answer_has_the_headers_of_security,
            gates: op_24_a_prefetch_touches_nothing_and_sets_no_cookie,
            attacks: rf_12_vs_11_sr_16_without_the_rules_repositories_refuse,
            attacks: rf_12_op_23_without_the_session_layer_everything_is_refused,
            attacks: rf_12_sr_11_no_header_makes_anybody_of_nobody,
            attacks: rf_15_a_thousand_cookies_are_nobody
        );
    };
    ($serve:path: $($module:ident: $case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::suite::$module::$case($serve).await;
            }
        )+
    };
}
pub(crate) use tests;
