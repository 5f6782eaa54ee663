//! What one user can do to others: what is built of a client's words is bounded, whatever is done to
//! build it, and costs no more stack than a small thread has.

use std::future::Future;
use std::sync::Arc;

use clearance::dto::{Aggregate, Filter, Grouping, Having};
use clearance::entity::ColumnFilter;
use clearance::limits::{
    CONDITION_DEPTH, CONDITIONS, FIELD_ERRORS, ORDERS, RULE_DEPTH, RULE_PARTS,
};
use clearance::policy::{Decision, Expr, Failure, Rule, Source, Truth, decide, evaluate, trace};
use clearance::repository::{Page, Select};
use clearance::route::{Route, RouteRules};
use clearance::{Dto, Entity, Error, Untrusted};

use crate::inputs::NewNote;
use crate::queries::{Card, Contact};
use crate::support::*;

/// More than any limit.
const MANY: usize = 100_000;
/// What the smallest thread of a server may have. A walk that goes too deep ends the process.
const STACK: usize = 256 * 1024;

/// Runs what needs no runtime.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(work).unwrap().join().unwrap()
}

/// Runs `work` over the people, whose tables are made on an ordinary stack.
fn over_people<F>(work: impl FnOnce(Arc<Directory>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let directory = Arc::new(directory().await);
        directory.pool.open().await;
        tokio::spawn(work(Arc::clone(&directory))).await.unwrap();
    });
}

async fn ids(directory: &Directory, select: Select<Profile>) -> Result<Vec<i64>, Error> {
    let access = read().await;
    let rows = directory.db.reader(&access).all(select).await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

/// Every way to build a condition of `count` parts out of one.
fn shapes<F>(
    count: usize,
    one: impl Fn(usize) -> F,
    and: fn(F, F) -> F,
    or: fn(F, F) -> F,
    not: fn(F) -> F,
) -> Vec<(&'static str, F)> {
    let fold = |join: &dyn Fn(F, F, usize) -> F| {
        (1..count).fold(one(0), |joined, number| join(joined, one(number), number))
    };
    vec![
        ("or, to the left", fold(&|joined, one, _| or(joined, one))),
        ("or, to the right", fold(&|joined, one, _| or(one, joined))),
        ("and, to the left", fold(&|joined, one, _| and(joined, one))),
        (
            "and, to the right",
            fold(&|joined, one, _| and(one, joined)),
        ),
        (
            "in turn",
            fold(&|joined, one, number| match number % 2 {
                0 => and(one, joined),
                _ => or(joined, one),
            }),
        ),
        (
            "with its opposite in turn",
            fold(&|joined, one, number| match number % 2 {
                0 => not(and(joined, one)),
                _ => not(or(one, joined)),
            }),
        ),
    ]
}

fn filters(count: usize) -> Vec<(&'static str, Filter<Profile>)> {
    shapes(
        count,
        |number| Profile::PHONE.ne(format!("{number}")),
        Filter::and,
        Filter::or,
        |filter| !filter,
    )
}

#[test]
fn av_01_a_filter_of_any_size_is_answered_or_refused_on_a_small_stack() {
    over_people(async |directory| {
        as_viewer(editor(), async {
            // At the limit: those of team red whose phone is set.
            for (how, filter) in filters(CONDITIONS) {
                let found = ids(&directory, Profile::select().filter(filter)).await;
                match how {
                    "in turn" | "with its opposite in turn" => {
                        assert!(found.unwrap_err().is_invalid())
                    }
                    how => assert_eq!(found.unwrap(), [1, 2], "{how}"),
                }
            }
            let deepest = filters(CONDITION_DEPTH).into_iter();
            for (how, filter) in deepest.filter(|(how, _)| *how == "in turn") {
                let found = ids(&directory, Profile::select().filter(filter)).await;
                assert_eq!(found.unwrap(), [1, 2], "{how}");
            }
            for count in [CONDITIONS + 1, MANY] {
                for (how, filter) in filters(count) {
                    let select = Profile::select().filter(filter);
                    let error = ids(&directory, select.clone()).await.unwrap_err();
                    assert!(
                        error.is_invalid() && error.status() == 400,
                        "{how}: {error}"
                    );
                    let access = read().await;
                    let reader = directory.db.reader(&access);
                    let page = reader.page(select.clone(), Page::first(1)).await;
                    assert!(page.unwrap_err().is_invalid(), "{how}");
                    assert!(
                        reader.count(select).await.unwrap_err().is_invalid(),
                        "{how}"
                    );
                }
            }
        })
        .await;
    });
}

#[test]
fn av_01_an_opposite_of_an_opposite_is_the_thing_itself() {
    over_people(async |directory| {
        as_viewer(editor(), async {
            let mut filter = Profile::PHONE.is_not_null();
            for _ in 0..MANY {
                filter = !filter;
            }
            let found = ids(&directory, Profile::select().filter(filter.clone())).await;
            assert_eq!(found.unwrap(), [1, 2]);
            let found = ids(&directory, Profile::select().filter(!filter)).await;
            assert_eq!(found.unwrap(), [5]);
        })
        .await;
    });
}

#[test]
fn av_01_whatever_else_a_query_is_made_of_is_bounded_too() {
    over_people(async |directory| {
        as_viewer(admin(), async {
            let access = read().await;
            let reader = directory.db.reader(&access);
            let is_invalid =
                |what: &str, error: Error| assert!(error.is_invalid(), "{what}: {error}");

            let columns = |count| {
                shapes(
                    count,
                    |number| Contact::EMAIL.ne(format!("{number}")),
                    ColumnFilter::and,
                    ColumnFilter::or,
                    |filter| !filter,
                )
            };
            for (how, filter) in columns(MANY) {
                let found = reader.all(Card::select().filter_column(filter)).await;
                is_invalid(how, found.unwrap_err());
            }
            let having = |count| {
                shapes(
                    count,
                    |_| Aggregate::<Profile, u64>::rows().ge(1),
                    Having::and,
                    Having::or,
                    |having| !having,
                )
            };
            for (how, having) in having(MANY) {
                let groups = Grouping::by([Profile::SALARY]).having(having);
                let found = reader.groups(Profile::select(), groups, ()).await;
                is_invalid(how, found.unwrap_err());
            }
            for (how, filter) in filters(MANY) {
                let counted = Profile::ID.count().filter(filter);
                let found = reader.aggregate(Profile::select(), counted).await;
                is_invalid(how, found.unwrap_err());
            }

            let mut select = Profile::select();
            for number in 0..MANY {
                select = select.filter(Profile::ID.ne(i64::try_from(number).unwrap()));
            }
            is_invalid(
                "filters of one query",
                reader.all(select).await.unwrap_err(),
            );
            let searched = (0..MANY).fold(Profile::select(), |select, _| select.search("user"));
            is_invalid("searches", reader.all(searched).await.unwrap_err());
            let ordered = |count| {
                (0..count).fold(Profile::select(), |select, _| {
                    select.order(Profile::SALARY.desc())
                })
            };
            is_invalid("orders", reader.all(ordered(MANY)).await.unwrap_err());
            let page = Page::first(2);
            is_invalid(
                "orders",
                reader
                    .page(ordered(ORDERS + 1), page.clone())
                    .await
                    .unwrap_err(),
            );
            let looked_up =
                (0..MANY).fold(Profile::select(), |select, _| select.lookup(Person::ID, 1));
            is_invalid("lookups", reader.all(looked_up).await.unwrap_err());
            let keys = vec![Profile::ID; MANY];
            let found = reader
                .groups(Profile::select(), Grouping::by(keys), ())
                .await;
            is_invalid("groups", found.unwrap_err());

            // At the limit, and a list of values is one condition.
            let found = reader.page(ordered(ORDERS), page).await.unwrap();
            let next = Page::after(9, &found.next.unwrap());
            let rest = reader.page(ordered(ORDERS), next).await.unwrap();
            assert_eq!((found.rows.len(), rest.rows.len()), (2, 4));
            let listed = Profile::ID.is_in(0..i64::try_from(MANY).unwrap());
            let found = reader.all(Profile::select().filter(listed)).await.unwrap();
            assert_eq!(found.len(), 6);
            let long = "user".repeat(MANY);
            let found = reader.all(Profile::select().search(long)).await.unwrap();
            assert!(found.is_empty());
        })
        .await;
    });
}

#[derive(Debug, Entity)]
#[entity(
    table = "parents",
    viewer = Member,
    has_many(children: Child, on(a = a, b = b)),
    rows = open,
    reason = "how many there are is under test"
)]
pub struct Parent {
    #[entity(key)]
    pub id: i64,
    pub a: i64,
    pub b: String,
}

#[derive(Debug, Entity)]
#[entity(table = "children", viewer = Member, rows = open, reason = "only read beside their parents")]
pub struct Child {
    #[entity(key)]
    pub id: i64,
    pub a: i64,
    pub b: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Child, default = visible)]
pub struct ChildView {
    pub id: i64,
}

#[derive(Debug, Dto)]
#[dto(entity = Parent, default = visible)]
pub struct ParentView {
    pub id: i64,
    #[dto(related)]
    pub children: Vec<ChildView>,
}

const FAMILIES: &str = "
    CREATE TABLE parents (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b KEYTEXT8 NOT NULL);
    CREATE TABLE children (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b KEYTEXT8 NOT NULL);
";

#[test]
fn av_03_rows_nested_by_two_columns_are_loaded_for_any_number_of_parents() {
    const PARENTS: i64 = 2_500;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let directory = Arc::new(empty_directory(FAMILIES).await);
        directory.pool.open().await;
        let access = system();
        let writer = directory.db.writer(&access);
        let parents = (1..=PARENTS).map(|id| Parent {
            id,
            a: id,
            b: format!("b{id}"),
        });
        writer.insert_many(parents).await.unwrap();
        // Two of each parent, whose keys stand in another order, and some of nobody.
        let children = (1..=PARENTS).flat_map(|id| {
            [
                (2 * PARENTS - id, id, id),
                (3 * PARENTS + id, id, id),
                (9 * PARENTS + id, id, id + 1),
            ]
            .map(|(key, a, b)| Child {
                id: key,
                a,
                b: format!("b{b}"),
            })
        });
        writer.insert_many(children).await.unwrap();
        let asked = Arc::clone(&directory);
        let shown = tokio::spawn(as_viewer(stranger(), async move {
            let access = read().await;
            let query = ParentView::select().order(ParentView::ID.asc());
            asked.db.reader(&access).all(query).await.unwrap()
        }));
        let shown = shown.await.unwrap();
        assert_eq!(shown.len(), usize::try_from(PARENTS).unwrap());
        for parent in shown {
            let children: Vec<i64> = parent.children.iter().map(|child| child.id).collect();
            assert_eq!(children, [2 * PARENTS - parent.id, 3 * PARENTS + parent.id]);
        }
    });
}

fn rule(expr: Expr) -> Rule<Member, Person> {
    Rule::__new(
        Source::__new("by hand", file!(), line!()),
        expr,
        Vec::new(),
        Vec::new(),
    )
}

/// A rule about a set column, which is true of everybody here.
fn is_set(_: usize) -> Expr {
    Expr::IsSome("username")
}

fn exprs(count: usize) -> Vec<(&'static str, Expr)> {
    let mut exprs = shapes(
        count,
        is_set,
        |one, other| Expr::All(vec![one, other]),
        |one, other| Expr::Any(vec![one, other]),
        |expr| Expr::Not(Box::new(expr)),
    );
    exprs.push((
        "all of one",
        (0..count).fold(is_set(0), |expr, _| Expr::All(vec![expr])),
    ));
    exprs.push(("any of many", Expr::Any((0..count).map(is_set).collect())));
    exprs.push((
        "opposites",
        (0..count).fold(is_set(0), |expr, _| Expr::Not(Box::new(expr))),
    ));
    exprs.push((
        "related",
        (0..count).fold(is_set(0), |expr, _| Expr::Related {
            relation: "boss",
            condition: Box::new(expr),
        }),
    ));
    exprs
}

#[test]
fn av_02_a_rule_of_any_size_is_worked_out_or_fails_on_a_small_stack() {
    on_a_small_stack(|| {
        let row = person(1, None);
        let context = clearance::policy::Context::new(instant(1));
        let viewer = editor();
        // Those that are deep are refused, and those of many parts are not made deep by it.
        for (how, expr) in exprs(RULE_PARTS / 2) {
            let rule = rule(expr);
            let truth = evaluate(&rule, Some(&viewer), &row, &context);
            let decision = decide(&[rule], Some(&viewer), &context);
            match how {
                "or, to the left" | "or, to the right" | "and, to the left"
                | "and, to the right" | "all of one" | "any of many" => {
                    assert_eq!(truth, Ok(Truth::True), "{how}");
                    assert!(matches!(decision, Decision::Depends(_)), "{how}");
                }
                how => {
                    assert_eq!(truth, Err(Failure::TooLarge), "{how}");
                    assert_eq!(decision, Decision::Fail(Failure::TooLarge), "{how}");
                }
            }
        }
        for (how, expr) in exprs(RULE_DEPTH / 2 - 1) {
            let truth = evaluate(&rule(expr), Some(&viewer), &row, &context);
            match how {
                // There is no such relation.
                "related" => assert!(truth.is_err(), "{how}"),
                how => assert!(truth.is_ok(), "{how}: {truth:?}"),
            }
        }
        for negated in [false, true] {
            for (how, expr) in exprs(MANY) {
                let rule = rule(expr);
                let rule = if negated { rule.__negated() } else { rule };
                let trace = trace(&rule, Some(&viewer), &row, &context);
                assert_eq!(trace.outcome(), Err(Failure::TooLarge), "{how}");
                let truth = evaluate(&rule, Some(&viewer), &row, &context);
                assert_eq!(truth, Err(Failure::TooLarge), "{how}");
                let decision = decide(&[rule], Some(&viewer), &context);
                assert_eq!(decision, Decision::Fail(Failure::TooLarge), "{how}");
            }
        }
    });
}

#[test]
fn av_04_a_route_of_any_size_is_asked_or_refused_on_a_small_stack() {
    let sessions = {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let directory = runtime.block_on(directory());
        runtime.block_on(sessions_beside(&directory))
    };
    on_a_small_stack(move || {
        let one = |number: usize| Route::exact(&format!("/{number}")).unwrap();
        for (how, route) in shapes(MANY, one, Route::and, Route::or, |route| !route) {
            assert!(format!("{route:?}").len() < 100, "{how}");
            let rules = RouteRules::protect_listed().protect(route).build(&sessions);
            assert!(rules.unwrap_err().is_configuration(), "{how}");
        }
        let (_, route) = shapes(CONDITIONS, one, Route::and, Route::or, |route| !route).remove(0);
        let rules = RouteRules::protect_listed().protect(route);
        rules.build(&sessions).unwrap();
    });
}

/// Opens a body as somebody who may write.
async fn opened(body: String) -> Result<(), Error> {
    let access = write().await;
    Untrusted::<NewNote>::json(body).open(&access).map(|_| ())
}

#[test]
fn av_05_av_06_a_body_of_any_form_is_opened_or_refused_on_a_small_stack() {
    over_people(async |_| {
        as_viewer(editor(), async {
            for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":["#, "]}]")] {
                let deep = format!("{}1{}", open.repeat(MANY), close.repeat(MANY));
                for body in [
                    deep.clone(),
                    format!(r#"{{"title":{deep}}}"#),
                    format!(r#"{{"other":{deep}}}"#),
                    open.repeat(MANY),
                ] {
                    let error = opened(body).await.unwrap_err();
                    assert!(
                        error.is_invalid() && error.status() == 400,
                        "{open}: {error}"
                    );
                }
            }
            // Brackets in a text are no lists.
            let body = format!(r#"{{"title":"{}\"","sendCopy":true}}"#, "[{".repeat(MANY));
            opened(body).await.unwrap();

            // No list of errors grows with what was sent.
            let doubles = format!(r#"{{{}"b":2}}"#, r#""a":1,"#.repeat(MANY));
            let unknown: String = (0..1_000)
                .map(|number| format!(r#""k{number}":1,"#))
                .collect();
            let unknown = format!(r#"{{{unknown}"title":"x"}}"#);
            let members: String = (0..MANY)
                .map(|number| format!(r#""k{number}":1,"#))
                .collect();
            let members = format!(r#"{{{members}"title":"x"}}"#);
            for (body, count) in [
                (doubles, FIELD_ERRORS),
                (unknown, FIELD_ERRORS),
                (members, 0),
            ] {
                let error = opened(body).await.unwrap_err();
                assert!(error.is_unprocessable(), "{error}");
                assert_eq!(error.fields().len(), count + 1);
                assert_eq!(error.fields()[count].field(), "");
                assert!(error.to_response().body().len() < 16 * 1024);
            }
            let long = format!(
                r#"{{"{}":1,"title":"x","sendCopy":true}}"#,
                "k".repeat(2 * MANY)
            );
            let error = opened(long).await.unwrap_err();
            assert!(error.to_response().body().len() < 1_024);
        })
        .await;
    });
}
