//! All stateless sessions of a subject, or of everyone, ended by a counter of the store.

use chrono::TimeDelta;
use clearance::session::{
    Fresh, Freshness, Lifetime, MemorySessionStore, SessionsBuilder, Strategy,
};
use clearance::{Db, RequestContext, Subject};
use sqlx::SqlitePool;

use crate::browser::Browser;
use crate::strategies::{Place, everywhere};
use crate::support::{DAY, MINUTE, Member, Rig, SECOND, key, sqlite_file, sqlite_url};

/// By how much the clock of another node is ahead.
const AHEAD: [TimeDelta; 3] = [
    TimeDelta::seconds(-30),
    TimeDelta::zero(),
    TimeDelta::seconds(30),
];

/// The cookie of ada's session in a token that names no generations, as one was made at the start
/// with the key 0, before there were any.
const EARLIER: &str = "__Host-session=eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiWjdmSGRnUTFiczAifQ..Sa_ZWZu\
    uvSTo57Nr.38aWLTabAP7NqsHIC0iEmbWDgWDDwAAcyZEauuS9uVplqqzToCmdD_I69ciKOVscexNSg2hCAG8zjDG-\
    -I1q2BDQeUeYhbw8SCrcaFnDuOuQWas_BbN_R9ird7xaWUqxGs0NtJv9JZy56f_r7uEn0eiq3Vi8TmgPz0ap4ShLlN\
    WwP6iyH8DHDyPIv6i71WfeLaifpHwCnToGvV_TWHQChRuOmqtn6P0T-lQq0hwf2q0rmgO6ePUBaR7sI5cJ02R7Jwzw\
    abSKZoxdOK5Pt4wms5_9X1qujWvP9EbOU-ADXfxNliZ_dbwH_phAFDNutULd.v-Fm-cPj-ihprLURW-Nz1Q";

fn ada() -> Subject {
    Subject::new("ada")
}

fn eve() -> Subject {
    Subject::new("eve")
}

fn stateless(builder: SessionsBuilder<Member>) -> SessionsBuilder<Member> {
    builder.strategy(Strategy::Stateless)
}

fn rig() -> Rig {
    Rig::with(stateless)
}

async fn fresh(request: &RequestContext) -> Fresh<Member> {
    let within = Freshness::within(60 * MINUTE);
    request.verify_fresh::<Member>(within).await.unwrap()
}

/// A browser whose cookie is of the earlier form.
fn earlier() -> Browser {
    let mut browser = Browser::default();
    let (name, value) = EARLIER.split_once('=').unwrap();
    browser.jar.insert(name.to_owned(), value.to_owned());
    browser
}

/// Lets what nodes have cached grow older than they may use it.
fn pass_bound(nodes: [&Rig; 2]) {
    for node in nodes {
        node.clock.advance(5 * SECOND);
    }
}

async fn answers(browser: &Browser, nodes: [&Rig; 2]) -> [u16; 2] {
    [
        browser.status(nodes[0]).await,
        browser.status(nodes[1]).await,
    ]
}

#[tokio::test]
async fn rf_31_to_end_all_sessions_depends_on_no_clock() {
    for ahead in AHEAD {
        for everyone in [false, true] {
            let here = rig();
            let there = here.apart(ahead, stateless);
            let nodes = [&here, &there];
            let old = [
                Browser::signed_in(&here, &ada()).await,
                Browser::signed_in(&there, &ada()).await,
            ];
            let other = Browser::signed_in(&there, &eve()).await;
            for browser in &old {
                assert_eq!(answers(browser, nodes).await, [200, 200], "{ahead}");
            }
            if everyone {
                here.sessions.revoke_everyone().await.unwrap();
            } else {
                here.sessions.revoke_all(&ada()).await.unwrap();
            }
            // Whoever signs in afterwards is in, at once and everywhere.
            let new = [
                Browser::signed_in(&here, &ada()).await,
                Browser::signed_in(&there, &ada()).await,
            ];
            for browser in &new {
                assert_eq!(answers(browser, nodes).await, [200, 200], "{ahead}");
            }
            for browser in &old {
                assert_eq!(browser.status(&here).await, 401, "{ahead}");
            }
            pass_bound(nodes);
            for browser in &old {
                assert_eq!(answers(browser, nodes).await, [401, 401], "{ahead}");
            }
            let expected = if everyone { 401 } else { 200 };
            assert_eq!(answers(&other, nodes).await, [expected, expected]);
        }
    }
}

#[tokio::test]
async fn rf_31_a_token_that_is_made_anew_is_of_no_younger_generation() {
    let rig = rig();
    let mut browser = Browser::signed_in(&rig, &ada()).await;
    rig.clock.advance(MINUTE);
    let visits = browser.request(&rig);
    visits.verify_session::<Member>().await.unwrap();
    let rotates = browser.request(&rig);
    let mut rotated = browser.clone();
    rotates.rotate_session().await.unwrap();
    rotated.finish(&rotates);
    assert_eq!(rotated.status(&rig).await, 200);
    rig.sessions.revoke_all(&ada()).await.unwrap();
    // The request began before and answers after.
    browser.finish(&visits);
    assert_eq!(browser.status(&rig).await, 401);
    assert_eq!(rotated.status(&rig).await, 401);
}

#[tokio::test]
async fn rf_32_a_store_that_lost_its_content_knows_no_session() {
    let rig = rig();
    let old = Browser::signed_in(&rig, &ada()).await;
    rig.sessions.revoke_all(&ada()).await.unwrap();
    let new = Browser::signed_in(&rig, &ada()).await;
    assert_eq!(new.status(&rig).await, 200);

    let emptied = Rig::over(MemorySessionStore::new(), stateless);
    for browser in [&old, &new] {
        assert_eq!(browser.status(&emptied).await, 401);
    }
    let again = Browser::signed_in(&emptied, &ada()).await;
    assert_eq!(again.status(&emptied).await, 200);
    // The answers of before are asked for anew.
    emptied.clock.advance(MINUTE);
    for browser in [&old, &new] {
        assert_eq!(browser.status(&emptied).await, 401);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test puts an earlier content of a table back"
)]
async fn restore(pool: &SqlitePool, rows: &[(String, i64)]) {
    sqlx::query("DELETE FROM clearance_session_generations")
        .execute(pool)
        .await
        .unwrap();
    for (subject, generation) in rows {
        sqlx::query("INSERT INTO clearance_session_generations VALUES (?, ?)")
            .bind(subject)
            .bind(generation)
            .execute(pool)
            .await
            .unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test keeps the content of a table"
)]
async fn backup(pool: &SqlitePool) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT subject, generation FROM clearance_session_generations")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn rf_32_a_store_that_was_restored_never_comes_to_a_generation_again() {
    let (directory, db): (_, Db) = sqlite_file().await;
    let pool = SqlitePool::connect(&sqlite_url(&directory)).await.unwrap();
    let rig = Rig::over(db.session_store(), |builder| {
        stateless(builder).cache_bound(std::time::Duration::ZERO)
    });
    let first = Browser::signed_in(&rig, &ada()).await;
    let kept = backup(&pool).await;
    rig.sessions.revoke_all(&ada()).await.unwrap();
    let of_subject = Browser::signed_in(&rig, &ada()).await;
    rig.sessions.revoke_everyone().await.unwrap();
    let of_everyone = Browser::signed_in(&rig, &ada()).await;
    restore(&pool, &kept).await;
    for browser in [&of_subject, &of_everyone] {
        assert_eq!(browser.status(&rig).await, 401);
    }
    rig.sessions.revoke_everyone().await.unwrap();
    rig.sessions.revoke_all(&ada()).await.unwrap();
    for browser in [&first, &of_subject, &of_everyone] {
        assert_eq!(browser.status(&rig).await, 401);
    }
    let last = Browser::signed_in(&rig, &ada()).await;
    assert_eq!(last.status(&rig).await, 200);
}

#[tokio::test]
async fn rf_33_who_ends_the_others_goes_on_whatever_the_clocks_show() {
    for ahead in AHEAD {
        let here = rig();
        let there = here.apart(ahead, stateless);
        let nodes = [&here, &there];
        let others = [
            Browser::signed_in(&here, &ada()).await,
            Browser::signed_in(&there, &ada()).await,
        ];
        let not_hers = Browser::signed_in(&there, &eve()).await;
        let mut own = Browser::signed_in(&here, &ada()).await;
        let before = own.clone();
        let request = own.request(&here);
        let proof = fresh(&request).await;
        request.revoke_other_sessions(&proof).await.unwrap();
        own.finish(&request);
        assert_eq!(answers(&own, nodes).await, [200, 200], "{ahead}");
        pass_bound(nodes);
        for browser in others.iter().chain([&before]) {
            assert_eq!(answers(browser, nodes).await, [401, 401], "{ahead}");
        }
        assert_eq!(answers(&own, nodes).await, [200, 200], "{ahead}");
        assert_eq!(answers(&not_hers, nodes).await, [200, 200], "{ahead}");
    }
}

#[tokio::test]
async fn rf_33_of_two_sessions_that_end_each_other_the_first_goes_on() {
    let rig = rig();
    let mut one = Browser::signed_in(&rig, &ada()).await;
    let mut other = Browser::signed_in(&rig, &ada()).await;
    let requests = [one.request(&rig), other.request(&rig)];
    let proofs = [fresh(&requests[0]).await, fresh(&requests[1]).await];
    // The other one was found to live, for the last time, before the first ended it.
    let gate = rig.store.loaded.arm_after(1);
    let [first, second] = &requests;
    let ends = second.revoke_other_sessions(&proofs[1]);
    let meanwhile = async {
        gate.reached().await;
        first.revoke_other_sessions(&proofs[0]).await.unwrap();
        gate.open();
    };
    let (ended, ()) = tokio::join!(ends, meanwhile);
    assert!(ended.unwrap_err().is_unauthenticated());
    one.finish(first);
    other.finish(second);
    assert_eq!(one.status(&rig).await, 200);
    assert_eq!(other.status(&rig).await, 401);
}

#[tokio::test]
async fn rf_33_whoever_ends_all_meanwhile_ends_the_one_that_would_go_on() {
    for everyone in [false, true] {
        let rig = rig();
        let mut browser = Browser::signed_in(&rig, &ada()).await;
        let request = browser.request(&rig);
        let proof = fresh(&request).await;
        let gate = rig.store.loaded.arm_after(1);
        let ends = request.revoke_other_sessions(&proof);
        let meanwhile = async {
            gate.reached().await;
            if everyone {
                rig.sessions.revoke_everyone().await.unwrap();
            } else {
                rig.sessions.revoke_all(&ada()).await.unwrap();
            }
            gate.open();
        };
        let (ended, ()) = tokio::join!(ends, meanwhile);
        assert_eq!(ended.is_err(), !everyone);
        browser.finish(&request);
        assert_eq!(browser.status(&rig).await, 401, "{everyone}");
    }
}

#[tokio::test]
async fn rf_34_tokens_that_name_no_generation_are_ended_too() {
    for ahead in AHEAD {
        for everyone in [false, true] {
            let here = rig();
            let there = here.apart(ahead, stateless);
            assert_eq!(answers(&earlier(), [&here, &there]).await, [200, 200]);
            here.sessions.revoke_all(&eve()).await.unwrap();
            assert_eq!(earlier().status(&here).await, 200);
            if everyone {
                there.sessions.revoke_everyone().await.unwrap();
            } else {
                there.sessions.revoke_all(&ada()).await.unwrap();
            }
            pass_bound([&here, &there]);
            assert_eq!(answers(&earlier(), [&here, &there]).await, [401, 401]);
            // Until they have ended, whatever is swept.
            here.clock.advance(7 * DAY - 10 * SECOND);
            here.sessions.sweep().await.unwrap();
            assert_eq!(earlier().status(&here).await, 401);
        }
    }
}

#[tokio::test]
async fn rf_34_what_such_a_token_goes_on_as_names_them() {
    let rig = rig();
    let mut rotated = earlier();
    let request = rotated.request(&rig);
    request.rotate_session().await.unwrap();
    rotated.finish(&request);
    assert_eq!(rotated.status(&rig).await, 200);
    assert_eq!(earlier().status(&rig).await, 401, "it was put in its place");
    let request = rotated.request(&rig);
    let proof = fresh(&request).await;
    request.revoke_other_sessions(&proof).await.unwrap();
    rotated.finish(&request);
    // An instant would end it.
    assert_eq!(rotated.status(&rig).await, 200);
    rig.sessions.revoke_all(&ada()).await.unwrap();
    assert_eq!(rotated.status(&rig).await, 401);

    let rig = Rig::with(stateless);
    let mut own = earlier();
    let request = own.request(&rig);
    let proof = fresh(&request).await;
    request.revoke_other_sessions(&proof).await.unwrap();
    own.finish(&request);
    assert_eq!(own.status(&rig).await, 200);
    assert_eq!(earlier().status(&rig).await, 401);
}

/// The ways to end a single session.
#[derive(Debug, Clone, Copy)]
enum End {
    SignOut,
    ById,
    ByProgram,
    Rotation,
}

#[tokio::test]
async fn rf_35_what_ended_is_not_back_whatever_limits_are_set_afterwards() {
    let limits = |idle, absolute| {
        move |builder: SessionsBuilder<Member>| {
            stateless(builder).lifetime(Lifetime::sliding(idle * DAY, absolute * DAY))
        }
    };
    for end in [End::SignOut, End::ById, End::ByProgram, End::Rotation] {
        let long = Rig::with(limits(300, 400));
        let short = long.beside(key(0), limits(1, 2));
        let browser = Browser::signed_in(&long, &ada()).await;
        let lives = Browser::signed_in(&long, &ada()).await;
        let request = browser.request(&short);
        let proof = fresh(&request).await;
        match end {
            End::SignOut => request.sign_out().await.unwrap(),
            End::ById => {
                let ended = request.revoke_session(&proof, proof.session_id()).await;
                assert!(ended.unwrap());
            }
            End::ByProgram => {
                let id = proof.session_id();
                assert!(short.sessions.revoke(&ada(), id).await.unwrap());
            }
            End::Rotation => drop(request.rotate_session().await.unwrap()),
        }
        for days in [3, 100, 150] {
            long.clock.advance(days * DAY);
            short.sessions.sweep().await.unwrap();
            assert_eq!(browser.status(&long).await, 401, "{end:?}");
        }
        assert_eq!(lives.status(&long).await, 200, "{end:?}");
    }
}

#[tokio::test]
async fn rf_38_an_empty_subject_is_not_everyone() {
    for Place { strategy, rig, .. } in everywhere().await {
        let browser = Browser::signed_in(&rig, &ada()).await;
        assert_eq!(rig.sessions.revoke_all(&Subject::new("")).await.unwrap(), 0);
        assert_eq!(browser.status(&rig).await, 200, "{strategy:?}");
        assert!(rig.sessions.create(&Subject::new("")).await.is_err());
        rig.sessions.revoke_all(&ada()).await.unwrap();
        assert_eq!(browser.status(&rig).await, 401, "{strategy:?}");
    }
}
