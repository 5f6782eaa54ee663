//! Rows in memory shown to a viewer and written as JSON, beside `if`, `else` and serde.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a benchmark that fails has nothing to report"
)]

#[path = "support/directory.rs"]
mod directory;
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clearance::{Access, Read, testing};
use serde::Serialize;
use tokio::runtime::Runtime;
use uuid::Uuid;

use directory::{Employee, Member, Profile, Role, admin, employees, stranger, team_mate};
use support::{Comparison, Judged, Report};

const ROWS: u32 = 10_000;

/// What a competent engineer writes. The outer `Option` says whether the viewer may see it.
#[derive(Serialize)]
struct ProfileByHand {
    id: Uuid,
    username: String,
    display_name: String,
    job_title: String,
    active: bool,
    joined_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salary: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    national_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    birthday: Option<Option<String>>,
}

fn show_by_hand(viewer: &Member, row: Employee) -> ProfileByHand {
    let is_admin = viewer.role >= Role::Admin;
    let is_team_mate = viewer.team.is_some() && viewer.team == row.team;
    let is_own = viewer.id == row.id;
    ProfileByHand {
        id: row.id,
        username: row.username,
        display_name: row.display_name,
        job_title: row.job_title,
        active: row.active,
        joined_at: row.joined_at,
        salary: if is_admin { Some(row.salary) } else { None },
        national_id: if is_admin {
            Some(row.national_id)
        } else {
            None
        },
        review: if viewer.role >= Role::Editor {
            Some(row.review)
        } else {
            None
        },
        phone: if is_admin || is_team_mate {
            Some(row.phone)
        } else {
            None
        },
        address: if is_admin || is_own {
            Some(row.address)
        } else {
            None
        },
        birthday: if is_admin || is_team_mate {
            Some(row.birthday)
        } else {
            None
        },
    }
}

async fn library(rows: Vec<Employee>) -> (Duration, Vec<u8>) {
    let access = Access::<Read<Member>>::authenticated().await.unwrap();
    let start = Instant::now();
    let shown = access.project::<Profile>(rows).await.unwrap();
    let json = serde_json::to_vec(&shown).unwrap();
    let elapsed = start.elapsed();
    black_box(shown);
    (elapsed, json)
}

fn by_hand(viewer: &Member, rows: Vec<Employee>) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    let shown: Vec<_> = rows
        .into_iter()
        .map(|row| show_by_hand(viewer, row))
        .collect();
    let json = serde_json::to_vec(&shown).unwrap();
    let elapsed = start.elapsed();
    black_box(shown);
    (elapsed, json)
}

fn main() {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let rows = employees(ROWS);
    let mut report = Report::default();
    for (name, viewer) in [
        ("10,000 rows projected for an admin", admin()),
        ("10,000 rows projected for a stranger", stranger()),
        ("10,000 rows projected for a team mate", team_mate()),
    ] {
        let request = testing::as_viewer(viewer.clone());
        let (_, library_json) = runtime.block_on(request.scope(library(rows.clone())));
        let (_, by_hand_json) = by_hand(&viewer, rows.clone());
        assert!(library_json == by_hand_json, "both write the same JSON");
        report.compare(
            Comparison {
                name,
                target: Some(1.05),
                judged: Judged::Median,
                rounds: 300,
                operations: 1,
            },
            || {
                let rows = black_box(rows.clone());
                let (elapsed, json) = runtime.block_on(request.scope(library(rows)));
                black_box(json);
                elapsed
            },
            || {
                let (elapsed, json) = by_hand(&viewer, black_box(rows.clone()));
                black_box(json);
                elapsed
            },
        );
    }
    println!("{report}");
}
