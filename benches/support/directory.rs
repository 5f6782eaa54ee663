//! A directory of employees: the entity, the DTO and the viewers of the benchmarks.

use chrono::{DateTime, Utc};
use clearance::{Dto, Entity, Field, Roles, Viewer};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub enum Role {
    Member,
    Editor,
    Admin,
}

#[derive(Debug, Clone, Viewer)]
pub struct Member {
    pub id: Uuid,
    pub role: Role,
    pub team: Option<String>,
}

#[derive(Clone, Entity)]
#[entity(table = "employees", viewer = Member, rows = open, reason = "everybody may open the directory")]
pub struct Employee {
    #[entity(key)]
    pub id: Uuid,
    pub username: String,
    pub display_name: String,
    pub job_title: String,
    pub active: bool,
    pub joined_at: DateTime<Utc>,
    pub salary: i64,
    pub national_id: String,
    pub review: Option<String>,
    pub phone: Option<String>,
    pub address: String,
    pub birthday: Option<String>,
    pub team: Option<String>,
}

/// Six fields for all, three that depend on the viewer alone, three that depend on the row.
#[derive(Dto)]
#[dto(entity = Employee, default = visible)]
pub struct Profile {
    pub id: Uuid,
    pub username: String,
    pub display_name: String,
    pub job_title: String,
    pub active: bool,
    pub joined_at: DateTime<Utc>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub salary: Field<i64>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub national_id: Field<String>,
    #[visible_if(viewer.role >= Role::Editor)]
    pub review: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    pub phone: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin || row.id == viewer.id)]
    pub address: Field<String>,
    #[visible_if(viewer.role >= Role::Admin || same(viewer.team, row.team))]
    pub birthday: Field<Option<String>>,
}

/// The same people on every run, in eight teams; a few are in none.
pub fn employees(count: u32) -> Vec<Employee> {
    const FIRST: [&str; 8] = [
        "Ada", "Barbara", "Edsger", "Frances", "Grace", "Ken", "Margaret", "Niklaus",
    ];
    const LAST: [&str; 7] = [
        "Allen", "Dijkstra", "Hamilton", "Hopper", "Liskov", "Lovelace", "Wirth",
    ];
    const TITLES: [&str; 5] = [
        "Accountant",
        "Data Engineer",
        "Office Manager",
        "Recruiter",
        "Site Reliability Engineer",
    ];
    let joined = DateTime::from_timestamp(1_600_000_000, 0).unwrap_or_default();
    (0..count)
        .map(|number| {
            let place = number as usize;
            let first = FIRST[place % FIRST.len()];
            let last = LAST[place % LAST.len()];
            Employee {
                id: id(number),
                username: format!("{}.{}{number}", first.to_lowercase(), last.to_lowercase()),
                display_name: format!("{first} {last}"),
                job_title: TITLES[place % TITLES.len()].to_owned(),
                active: number % 11 != 0,
                joined_at: joined + chrono::TimeDelta::hours(i64::from(number) * 7),
                salary: 40_000 + i64::from(number % 60) * 1_000,
                national_id: format!("{:03}-{:02}-{number:05}", number % 899, number % 97),
                review: (number % 3 == 0)
                    .then(|| "Meets expectations, and mentors two colleagues.".to_owned()),
                phone: (number % 5 != 0).then(|| format!("+44 20 7946 {number:05}")),
                address: format!("{} Rosebery Avenue, London EC1R", number % 400),
                birthday: (number % 7 != 0).then(|| {
                    format!(
                        "19{:02}-{:02}-{:02}",
                        60 + number % 40,
                        1 + number % 12,
                        1 + number % 28
                    )
                }),
                team: (number % 9 != 0).then(|| team(number)),
            }
        })
        .collect()
}

pub fn team(number: u32) -> String {
    const TEAMS: [&str; 8] = [
        "billing",
        "compilers",
        "data",
        "finance",
        "legal",
        "people",
        "platform",
        "support",
    ];
    TEAMS[number as usize % TEAMS.len()].to_owned()
}

pub fn id(number: u32) -> Uuid {
    Uuid::from_u128(0x018f_3c5e_7a10_7000_8000_0000_0000_0000 | u128::from(number))
}

/// Sees everything.
pub fn admin() -> Member {
    Member {
        id: id(1),
        role: Role::Admin,
        team: Some("people".to_owned()),
    }
}

/// Sees the private fields of the people of one team, in every eighth row or so.
pub fn team_mate() -> Member {
    Member {
        id: id(2),
        role: Role::Member,
        team: Some("data".to_owned()),
    }
}

/// Is in the directory of nobody's team, so each row's rule has to be asked and gives no.
pub fn stranger() -> Member {
    Member {
        id: Uuid::from_u128(7),
        role: Role::Member,
        team: Some("contractors".to_owned()),
    }
}
