//! Finding the engines' programs: given directories, `PATH`, the distribution's usual places.

use super::{EngineError, EngineOptions};
use std::path::{Path, PathBuf};

const INSTALL: &str = "apt-get install postgresql redis-server";

/// Where the programs are.
pub(super) struct Programs {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) redis_server: PathBuf,
    pub(super) setpriv: PathBuf,
}

impl Programs {
    pub(super) fn find(options: &EngineOptions) -> Result<Self, EngineError> {
        let search = Search::new(options);
        // `initdb` and `postgres` must be of one version: take both from one directory.
        // A link in PATH leads to the real directory, where its siblings and data are. (Redis must
        // keep the link's name: it acts by it.)
        let initdb = search.find("initdb", INSTALL)?;
        let initdb = initdb.canonicalize().unwrap_or(initdb);
        let beside = initdb.with_file_name("postgres");
        let postgres = if beside.is_file() {
            beside
        } else {
            search.find("postgres", INSTALL)?
        };
        Ok(Self {
            initdb,
            postgres,
            redis_server: search.find("redis-server", INSTALL)?,
            setpriv: search.find("setpriv", "apt-get install util-linux")?,
        })
    }
}

/// Where Redis is, for those who need nothing else.
pub(super) struct RedisPrograms {
    pub(super) server: PathBuf,
    pub(super) setpriv: PathBuf,
}

impl RedisPrograms {
    pub(super) fn find(options: &EngineOptions) -> Result<Self, EngineError> {
        let search = Search::new(options);
        Ok(Self {
            server: search.find("redis-server", INSTALL)?,
            setpriv: search.find("setpriv", "apt-get install util-linux")?,
        })
    }
}

impl From<&Programs> for RedisPrograms {
    fn from(programs: &Programs) -> Self {
        Self {
            server: programs.redis_server.clone(),
            setpriv: programs.setpriv.clone(),
        }
    }
}

struct Search {
    dirs: Vec<PathBuf>,
    described: String,
}

impl Search {
    fn new(options: &EngineOptions) -> Self {
        let mut dirs = options.program_dirs.clone();
        let mut described: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        if options.search_system {
            let path = std::env::var_os("PATH").unwrap_or_default();
            dirs.extend(std::env::split_paths(&path));
            dirs.extend(debian_postgres());
            let usual = ["/usr/pgsql/bin", "/usr/local/pgsql/bin", "/usr/bin", "/usr/sbin"];
            dirs.extend(usual.map(PathBuf::from));
            described.push("/usr/lib/postgresql/*/bin".to_owned());
            described.extend(usual.map(str::to_owned));
        }
        Self {
            dirs,
            described: described.join(", "),
        }
    }

    fn find(&self, program: &'static str, remedy: &'static str) -> Result<PathBuf, EngineError> {
        self.dirs
            .iter()
            .map(|dir| dir.join(program))
            .find(|path| path.is_file())
            .ok_or_else(|| EngineError::MissingProgram {
                program,
                searched: self.described.clone(),
                remedy,
            })
    }
}

/// `/usr/lib/postgresql/<version>/bin`, newest first.
fn debian_postgres() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| Path::is_dir(bin))
        .collect();
    found.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, bin)| bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_how_to_install_it() {
        let options = EngineOptions {
            program_dirs: vec![PathBuf::from("/nonexistent")],
            search_system: false,
            ..EngineOptions::default()
        };
        let error = Programs::find(&options).err().unwrap();
        assert!(matches!(
            error,
            EngineError::MissingProgram {
                program: "initdb",
                ..
            }
        ));
        let text = error.to_string();
        assert!(text.contains("apt-get install postgresql redis-server"), "{text}");
        assert!(text.contains("/nonexistent"), "{text}");
    }
}
