//! A server that runs, and what it takes to start it again in its place.

use std::process::Command;

use super::held::{HELD, Handle, Stop};
use super::launch::Place;
use crate::Failure;

/// The command that does something with the server of a place, on a port.
type Line = Box<dyn Fn(&Place, u16) -> Command>;

/// How the server of a place is run, asked and ended.
pub(super) struct Program {
    pub(super) place: Place,
    pub(super) stop: Stop,
    pub(super) server: Line,
    pub(super) client: Line,
}

/// A server that can be killed and started again.
pub(crate) struct Running {
    program: Program,
    port: u16,
    handle: Handle,
}

impl Program {
    /// Starts it on a free port and waits until it answers.
    pub(super) fn serve(self) -> Result<Running, Failure> {
        let Self {
            place,
            stop,
            server,
            client,
        } = &self;
        let (port, handle) = place.serve(
            *stop,
            |port| server(place, port),
            |port| client(place, port),
        )?;
        Ok(Running {
            program: self,
            port,
            handle,
        })
    }
}

impl Running {
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn password(&self) -> &str {
        &self.program.place.password
    }

    /// Ends it in the middle of what it does, and waits until nothing of it is left.
    pub(crate) fn kill(&self) -> Result<(), Failure> {
        HELD.kill(self.handle)
    }

    /// Starts it again, on the same port and directory, and waits until it answers.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        let Program {
            place,
            stop,
            server,
            client,
        } = &self.program;
        let port = self.port;
        self.handle = place.start_on(*stop, &mut server(place, port), || client(place, port))?;
        Ok(())
    }
}
