//! Gates for Rocket: as fairings before everything, and around single routes.

use http::Response as HttpResponse;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::Method;
use rocket::http::uri::Origin;
use rocket::outcome::Outcome;
use rocket::{Build, Data, Request, Response, Rocket, Route, route};

use super::{context, heads, kept, lock, respond};
use crate::error::Error;
use crate::route::Gate;

/// Puts a gate before these routes alone, such as a [`Protect`](crate::route::Protect). Attach a gate that is
/// for every request.
///
/// # Example
///
/// ```
/// use clearance::adapter::rocket::{behind, scoped};
/// use clearance::route::Protect;
/// use clearance::{Result, Viewer};
/// use rocket::{Build, Rocket, get, routes};
///
/// #[derive(Viewer)]
/// struct Member { id: i64, admin: bool }
///
/// #[get("/admin")]
/// fn panel() -> &'static str {
///     "for admins"
/// }
///
/// fn mount(rocket: Rocket<Build>) -> Result<Rocket<Build>> {
///     let admins = Protect::<Member>::page("/sign-in").require(|member| member.admin).build()?;
///     Ok(rocket.mount("/", behind(&admins, scoped(routes![panel]))))
/// }
/// ```
#[must_use = "only what it returns is behind the gate"]
pub fn behind(gate: &Gate, routes: Vec<Route>) -> Vec<Route> {
    let guard = |mut route: Route| {
        route.handler = Box::new(Behind {
            gate: gate.clone(),
            handler: route.handler,
        });
        route
    };
    routes.into_iter().map(guard).collect()
}

#[derive(Clone)]
struct Behind {
    gate: Gate,
    handler: Box<dyn route::Handler>,
}

#[rocket::async_trait]
impl route::Handler for Behind {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        let mut outcome = match check(&self.gate, request).await {
            Ok(()) => self.handler.handle(request, data).await,
            Err(answer) => Outcome::Success(respond(answer)),
        };
        match &mut outcome {
            Outcome::Success(response) => finish(&self.gate, response),
            Outcome::Error(_) | Outcome::Forward(_) => {}
        }
        outcome
    }
}

async fn check(gate: &Gate, request: &Request<'_>) -> Result<(), HttpResponse<String>> {
    let Ok(head) = heads::parts(request) else {
        return Err(Error::invalid().to_response());
    };
    match context(request) {
        Some(context) => context.scope(gate.check(&head)).await,
        None => gate.check(&head).await,
    }
}

fn finish(gate: &Gate, response: &mut Response<'_>) {
    heads::change(response, |headers| gate.finish(headers));
}

/// The path to which a refused request is rerouted, so that no other route gets it. A client that requests it
/// directly gets the 404 of any unknown path.
const REFUSED: &str = "/.clearance/refused";

const METHODS: [Method; 9] = [
    Method::Get,
    Method::Put,
    Method::Post,
    Method::Delete,
    Method::Options,
    Method::Head,
    Method::Trace,
    Method::Connect,
    Method::Patch,
];

/// The route that sends the response of a gate that refused the request.
#[derive(Clone)]
struct Refused;

#[rocket::async_trait]
impl route::Handler for Refused {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        match lock(&kept(request).refusal).take() {
            Some(answer) => Outcome::Success(respond(answer)),
            None => Outcome::Forward((data, rocket::http::Status::NotFound)),
        }
    }
}

/// The fairing checks requests before every route, and before paths that have none. Gates that are attached
/// first check first: attach them behind the [session layer](crate::SessionLayer) and every fairing that
/// changes a request.
#[rocket::async_trait]
impl Fairing for Gate {
    fn info(&self) -> Info {
        Info {
            name: "Gate",
            kind: Kind::Ignite | Kind::Request | Kind::Response,
        }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Refused>().is_some() {
            return Ok(rocket);
        }
        let route = |method| Route::ranked(isize::MIN, method, REFUSED, Refused);
        let routes: Vec<Route> = METHODS.into_iter().map(route).collect();
        Ok(rocket.manage(Refused).mount("/", routes))
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        if lock(&kept(request).refusal).is_some() {
            return;
        }
        if let Err(answer) = check(self, request).await {
            *lock(&kept(request).refusal) = Some(answer);
            request.set_uri(Origin::path_only(REFUSED));
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        // If another fairing rerouted the request again, its response is replaced.
        if let Some(answer) = lock(&kept(request).refusal).take() {
            *response = respond(answer);
        }
        finish(self, response);
    }
}
