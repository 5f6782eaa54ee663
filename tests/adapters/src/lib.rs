//! The pages of the frameworks, compiled. What is tested stands in `tests/`, and the suite that all of
//! those run in `suite/`.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/frameworks/actix-web.md")]
struct ActixWeb;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/frameworks/axum.md")]
struct Axum;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/frameworks/rocket.md")]
struct Rocket;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/frameworks/poem.md")]
struct Poem;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/frameworks/salvo.md")]
struct Salvo;
