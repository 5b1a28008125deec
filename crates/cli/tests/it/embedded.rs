//! The file of the embedded store: who may read it, a full disk, and damage.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::run;
use crate::serve::{PROGRAM, Serve, by_shell};

const DATABASE: &str = "paradigm-scim.sqlite";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// Returns the files of a folder that are not private.
fn open_to_others(folder: &Path) -> Vec<(PathBuf, u32)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let modes = paths.map(|path| (path.clone(), mode(&path)));
    modes.filter(|(_, mode)| *mode != 0o600).collect()
}

#[test]
fn the_files_are_private_whatever_the_umask() {
    for umask in ["000", "022", "777"] {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("scim");
        let arguments = ["--data-dir", folder.to_str().unwrap()];
        let shell = by_shell(&format!("umask {umask}; exec"));
        let serve = Serve::start_by(shell, &arguments, Some("True"), |command| {
            command.stderr(Stdio::null());
        });
        // Something is written, so that all files are there.
        let user = json!({"userName": "ada@example.com"});
        assert_eq!(serve.send("POST", "/Users", serve.token(), &user).0, 201);
        for file in [
            DATABASE,
            "paradigm-scim.sqlite-wal",
            "paradigm-scim.sqlite-shm",
        ] {
            assert!(folder.join(file).exists(), "{umask}: {file}");
        }
        assert_eq!(mode(&folder), 0o700, "{umask}");
        assert_eq!(open_to_others(&folder), [], "{umask}");
        assert!(serve.signal("-TERM").success());
        assert_eq!(open_to_others(&folder), [], "{umask}");
    }
}

#[test]
fn a_file_that_others_may_read_is_made_private() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, &["company", "create", "Acme"]).unwrap();
    let database = folder.join(DATABASE);
    std::fs::set_permissions(&database, Permissions::from_mode(0o644)).unwrap();
    run(folder, &["company", "list"]).unwrap();
    assert_eq!(mode(&database), 0o600);
}

/// A place for a store, and for the log of the server that was started last.
struct Place {
    folder: PathBuf,
    log: PathBuf,
    _place: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        Self {
            folder: place.path().join("scim"),
            log: place.path().join("log"),
            _place: place,
        }
    }

    fn start(&self) -> Serve {
        self.start_by(Command::new(PROGRAM))
    }

    fn start_by(&self, command: Command) -> Serve {
        let log = File::create(&self.log).unwrap();
        let arguments = ["--data-dir", self.folder.to_str().unwrap()];
        Serve::start_by(command, &arguments, Some("True"), |command| {
            command.stderr(Stdio::from(log));
        })
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// Creates users of about 60 KB until one is refused, and returns the refusal.
fn fill(serve: &Serve, token: &str) -> (u16, Value) {
    for number in 0..200 {
        let user = json!({"userName": format!("u{number}"), "title": "T".repeat(60_000)});
        let (status, body) = serve.send("POST", "/Users", token, &user);
        if status != 201 {
            return (status, body);
        }
    }
    panic!("there is space without end");
}

const UNWRITABLE: &str = "The directory cannot be written, so nothing of this request was saved; its operator has to make room on the disk. Try again later.";

/// A limit on the size of files stops writes as a quota does, and needs no other disk.
#[test]
fn a_write_that_fails_is_reported_and_nothing_is_lost() {
    let place = Place::new();
    let first = place.start();
    let token = first.token().to_owned();
    assert!(first.signal("-TERM").success());

    let limit = "trap '' XFSZ; ulimit -f 2048; exec";
    let limited = place.start_by(by_shell(limit));
    let (status, refusal) = fill(&limited, &token);
    assert_eq!((status, &refusal["detail"]), (503, &json!(UNWRITABLE)));
    let logged = place.logged();
    let line = logged.lines().find(|line| line.contains("status=503"));
    let line = line.unwrap_or_else(|| panic!("{logged}"));
    for part in [
        "rule=\"store-unwritable\"",
        "the store's file cannot be written: the disk failed, or a quota or size limit is reached",
    ] {
        assert!(line.contains(part), "{line}");
    }
    // A command's writes are smaller: a few may find space.
    let create = |number: i32| {
        let output = by_shell(limit)
            .args(["user", "create", &format!("late{number}")])
            .args(["--company", "Demo", "--data-dir"])
            .arg(&place.folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        (!output.status.success()).then_some(printed)
    };
    let printed = (0..50).find_map(create).unwrap();
    assert!(
        printed.starts_with("error: the store's file cannot be written: the disk failed"),
        "{printed}"
    );
    // What is there is served on.
    let (status, before) = limited.get("/Users?count=0", &token);
    assert_eq!(status, 200);
    assert!(limited.signal("-TERM").success());

    let again = place.start();
    assert_eq!(again.get("/Users?count=0", &token), (200, before));
    let user = json!({"userName": "late"});
    assert_eq!(again.send("POST", "/Users", &token, &user).0, 201);
    assert!(again.signal("-TERM").success());
    run(&place.folder, &["check"]).unwrap();
}

/// On a file system of 1 MiB, where the kernel lets this user mount one.
#[test]
fn a_full_disk_is_reported_as_such() {
    let in_namespace = "unshare --map-root-user --mount";
    let probe = Command::new("sh")
        .args(["-c", &format!("{in_namespace} mount -t tmpfs tmpfs /mnt")])
        .output()
        .unwrap();
    if !probe.status.success() {
        println!("not tried: this user may mount nothing");
        return;
    }
    let place = Place::new();
    std::fs::create_dir(&place.folder).unwrap();
    let mount = format!("mount -t tmpfs -o size=1m tmpfs {}", place.folder.display());
    let prelude = format!("exec {in_namespace} sh -c '{mount} && exec \"$0\" \"$@\"'");
    let serve = place.start_by(by_shell(&prelude));
    let token = serve.token().to_owned();
    let (status, refusal) = fill(&serve, &token);
    assert_eq!((status, &refusal["detail"]), (503, &json!(UNWRITABLE)));
    assert_eq!(serve.get("/Users", &token).0, 200);
    let logged = place.logged();
    let cause = "the store's file cannot be written: the disk is full";
    assert!(logged.contains(cause), "{logged}");
    assert!(serve.signal("-TERM").success());
}

const CHECKED: &str = "was not stopped cleanly; its file is being checked";

#[test]
fn the_file_is_checked_after_an_unclean_stop_only() {
    let place = Place::new();
    let first = place.start();
    let token = first.token().to_owned();
    assert!(first.signal("-TERM").success());
    let wal = place.folder.join("paradigm-scim.sqlite-wal");
    assert!(!wal.exists(), "a clean stop leaves a log of writes");

    let second = place.start();
    assert!(!place.logged().contains(CHECKED), "{}", place.logged());
    let user = json!({"userName": "ada@example.com"});
    assert_eq!(second.send("POST", "/Users", &token, &user).0, 201);
    // Another process beside it checks nothing: the log of writes is in use.
    assert!(wal.metadata().unwrap().len() > 0);
    let beside = place.start();
    assert!(!place.logged().contains(CHECKED), "{}", place.logged());
    assert!(beside.signal("-TERM").success());
    second.signal("-KILL");

    let third = place.start();
    assert!(place.logged().contains(CHECKED), "{}", place.logged());
    let filter = "/Users?filter=userName%20eq%20%22ada@example.com%22";
    assert_eq!(third.get(filter, &token).1["totalResults"], 1);
    assert!(third.signal("-TERM").success());
    let fourth = place.start();
    assert!(!place.logged().contains(CHECKED), "{}", place.logged());
    assert!(fourth.signal("-TERM").success());
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let first = place.start();
    let token = first.token().to_owned();
    for number in 0..10 {
        let user = json!({"userName": format!("u{number}"), "title": "T".repeat(10_000)});
        assert_eq!(first.send("POST", "/Users", &token, &user).0, 201);
    }
    assert!(first.signal("-TERM").success());
    let second = place.start();
    let user = json!({"userName": "last"});
    assert_eq!(second.send("POST", "/Users", &token, &user).0, 201);
    second.signal("-KILL");
    let database = place.folder.join(DATABASE);
    let mut bytes = std::fs::read(&database).unwrap();
    let second_half = bytes.len() / 2;
    bytes[second_half..].fill(0xa5);
    std::fs::write(&database, &bytes).unwrap();

    for arguments in [
        &["company", "list"][..],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .arg("--data-dir")
            .arg(&place.folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{printed}");
        for part in ["the embedded store is damaged", "move it away", DATABASE] {
            assert!(printed.contains(part), "{part}: {printed}");
        }
        assert_eq!(std::fs::read(&database).unwrap(), bytes);
    }

    // So is one that is no database, however it was stopped.
    std::fs::remove_file(place.folder.join("paradigm-scim.sqlite-wal")).unwrap();
    std::fs::write(&database, "x".repeat(8192)).unwrap();
    let printed = run(&place.folder, &["company", "list"]).unwrap_err();
    assert!(
        printed.contains("the embedded store is damaged"),
        "{printed}"
    );
}
