//! The tests of tests/spin-host, which is a workspace of its own.

use anyhow::Result;

use crate::platform::Platform;
use crate::project::Project;
use crate::report::Row;
use crate::spin;
use crate::suites::unit;

pub const NAME: &str = "spin-host";

pub fn run(project: &Project) -> Result<Vec<Row>> {
    unit::count(
        project,
        &mut spin::host_cargo(project, "test"),
        Row::new(NAME, Some(Platform::Spin)),
    )
}
