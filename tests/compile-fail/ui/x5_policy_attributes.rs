//! The forms of the policy attributes.

#![allow(unused, reason = "what an error leaves without a use is beside the point")]

use clearance::{Result, repository};
use clearance_compile_fail::{Member, Role};

struct Users;

#[repository(viewer = Member)]
impl Users {
    #[authenticated]
    pub async fn unnamed(&self) -> Result<()> {
        Ok(())
    }

    #[authenticated(access, if viewer.role >= Role::Admin)]
    pub async fn condition_of_authenticated(&self) -> Result<()> {
        Ok(())
    }

    #[authorize(access)]
    pub async fn without_condition(&self) -> Result<()> {
        Ok(())
    }

    #[authorize(access: Change, if viewer.role >= Role::Admin)]
    pub async fn unknown_action(&self) -> Result<()> {
        Ok(())
    }

    #[authorize(access, if row.id == viewer.id)]
    pub async fn row_in_condition(&self) -> Result<()> {
        Ok(())
    }

    #[public(access)]
    pub async fn without_reason(&self) -> Result<()> {
        Ok(())
    }

    #[public(access, reason = "")]
    pub async fn empty_reason(&self) -> Result<()> {
        Ok(())
    }

    #[public(access: Write, reason = "sign up")]
    pub async fn public_write(&self) -> Result<()> {
        Ok(())
    }

    #[authenticated(access)]
    #[public(access, reason = "both")]
    pub async fn two_policies(&self) -> Result<()> {
        Ok(())
    }
}

struct Teams;

#[repository]
impl Teams {
    #[authenticated(access)]
    pub async fn no_viewer(&self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
