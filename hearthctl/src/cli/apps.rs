//! What can be done with apps.

use clap::Args;
use clap::Subcommand;
use std::path::Path;
use std::path::PathBuf;

/// What can be done with apps.
#[derive(Debug, Subcommand)]
pub enum App {
    /// Your apps and the household's
    List,
    /// How an app is, what it may do and what it uses
    Show {
        /// Its ID, or its key
        app: String,
    },
    /// Install an app, once you have agreed to what it asks for
    Install(Install),
    /// Bring an image to the box from a file, where no registry has it or the box reaches none
    #[command(after_help = "Examples:
  docker save notes:2 -o notes.tar && hearthctl app bring notes.tar --name notes:2
  hearthctl app install localhost/notes:2")]
    Bring {
        /// An archive of docker save, or of an OCI layout; not compressed as a whole
        file: PathBuf,
        /// What the image is called on the box: localhost/NAME; without, as the file
        #[arg(long, value_name = "NAME[:TAG]")]
        name: Option<String>,
    },
    /// Start an app, from now on and after each restart of the box
    Start {
        /// Its ID, or its key
        app: String,
    },
    /// Stop an app, which then stays stopped
    Stop {
        /// Its ID, or its key
        app: String,
    },
    /// Stop an app and start it again
    Restart {
        /// Its ID, or its key
        app: String,
    },
    /// Put another version in the place of an app's
    ///
    /// Its data is saved before. When the new version does not become healthy, the version and the data from before are brought back.
    Update(Update),
    /// Call an app otherwise; its data and permissions stay
    Rename {
        /// Its ID, or its key
        app: String,
        /// Its ID from now on: a-z, 0-9 and -, a letter first
        id: String,
    },
    /// Remove an app, with or without its data
    ///
    /// While an app is being installed, this calls its installation off.
    Remove {
        /// Its ID, or its key
        app: String,
        /// Keep its data; hearthctl app install --data-of takes it up again
        #[arg(long, conflicts_with = "delete_data")]
        keep_data: bool,
        /// Delete its data for good
        #[arg(long)]
        delete_data: bool,
    },
    /// What an app has said
    Logs {
        /// Its ID, or its key
        app: String,
        /// Which of its containers, where it has several
        #[arg(long, value_name = "NAME")]
        container: Option<String>,
        /// Go on with what it says from now on
        #[arg(short, long)]
        follow: bool,
    },
    /// What an app may do; give permissions or take them away
    #[command(after_help = "Examples:
  hearthctl app permissions notes
  hearthctl app permissions notes --revoke lan --revoke domain:example.com
  hearthctl app permissions notes --grant internet")]
    Permissions {
        /// Its ID, or its key
        app: String,
        /// Give it this permission, of those that it asks for
        #[arg(long, value_name = "PERMISSION")]
        grant: Vec<String>,
        /// Take this permission away, at once
        #[arg(long, value_name = "PERMISSION")]
        revoke: Vec<String>,
    },
}

/// Installs an app.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl app install notes/hearth.json
  hearthctl app install wiki/docker-compose.yml --var ADMIN_PASSWORD=…
  hearthctl app install docker.io/library/nginx:1.29

What cannot be honoured of a docker-compose.yml is listed, and nothing is installed.")]
pub struct Install {
    /// A hearth.json, a docker-compose.yml, or the name of an image
    pub what: String,
    /// How the app is to be called, instead of what it would like
    #[arg(long)]
    pub id: Option<String>,
    /// Install it for everybody at home: it runs from each start of the box. Without, it is yours alone and runs from when you log in; a
    /// hearth.json says itself for whom it is
    #[arg(long)]
    pub household: bool,
    /// Do not give it this permission
    #[arg(long, value_name = "PERMISSION")]
    pub without: Vec<String>,
    /// Take up the data of an app that was removed
    #[arg(long, value_name = "APP")]
    pub data_of: Option<String>,
    /// What belongs to a docker-compose.yml.
    #[command(flatten)]
    pub compose: Compose,
    /// How it is gone about.
    #[command(flatten)]
    pub way: Way,
}

/// Updates an app.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  hearthctl app update notes notes/hearth.json
  hearthctl app update wiki               the same again, with what its images are called now")]
pub struct Update {
    /// Its ID, or its key
    pub app: String,
    /// A hearth.json, a docker-compose.yml, or the name of an image; without, what the app was made of before
    pub what: Option<String>,
    /// What belongs to a docker-compose.yml.
    #[command(flatten)]
    pub compose: Compose,
    /// How it is gone about.
    #[command(flatten)]
    pub way: Way,
}

/// What a `docker-compose.yml` does not say.
#[derive(Args, Debug)]
pub struct Compose {
    /// Title of an app from a docker-compose.yml, instead of its folder's name
    #[arg(long)]
    pub title: Option<String>,
    /// Version of an app from a docker-compose.yml, such as 1.4.0
    #[arg(long)]
    pub app_version: Option<String>,
    /// Value of a variable in a docker-compose.yml
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
}

/// How an operation is gone about.
#[derive(Args, Debug)]
pub struct Way {
    /// Agree to what is shown without being asked
    #[arg(long)]
    pub yes: bool,
    /// Do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
}

impl Compose {
    /// The folder that a file lies in, by its name.
    pub(crate) fn title_for(&self, file: &Path) -> Option<String> {
        let folder = || {
            let whole = std::path::absolute(file).ok()?;
            Some(whole.parent()?.file_name()?.to_str()?.to_owned())
        };
        self.title.clone().or_else(folder)
    }
}
