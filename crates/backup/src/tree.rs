//! Reads a snapshot beside its manifest, checking everything on the way.
//!
//! From the snapshot's tree downwards each blob is named by its SHA-256, and rustic does not compare it: a blob moved
//! to another's place would be read as the other. So trees and contents are hashed here.

use crate::control::Control;
use crate::control::Progress;
use crate::key::sha256_hex;
use crate::manifest;
use crate::manifest::Line;
use crate::manifest::ManifestError;
use crate::manifest::path_text;
use crate::repository::Indexed;
use crate::repository::OpenError;
use crate::repository::Owner;
use crate::repository::Site;
use crate::source::link_stays;
use crate::walk::MAX_DEPTH;
use bytes::Bytes;
use rustic_core::DataId;
use rustic_core::TreeId;
use rustic_core::repofile::BlobType;
use rustic_core::repofile::Node;
use rustic_core::repofile::NodeType;
use rustic_core::repofile::Tree;
use sha2::Digest;
use sha2::Sha256;
use std::ffi::OsStr;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

/// Why a snapshot is refused.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Something of it cannot be read.
    #[error("a part of the snapshot cannot be read")]
    Read(#[source] OpenError),
    /// A part is not what its name says.
    #[error("{part} of the snapshot is damaged")]
    Damaged {
        /// Which part.
        part: String,
    },
    /// The manifest cannot be read.
    #[error("the manifest is damaged: {problem}")]
    Manifest {
        /// In which way.
        problem: String,
    },
    /// Tree and manifest differ.
    #[error("{path} is not what the manifest says")]
    Differs {
        /// Where.
        path: PathBuf,
    },
    /// A name or link that leads elsewhere.
    #[error("{path} leads out of the backup")]
    Escapes {
        /// Where.
        path: PathBuf,
    },
    /// Neither file, folder nor link.
    #[error("{path} is a special file")]
    Special {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be written down.
    #[error("cannot write {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The task was stopped.
    #[error("the task was cancelled")]
    Cancelled,
}

/// What a snapshot is read into.
pub(crate) trait Sink {
    /// Whether contents are wanted.
    fn wants_contents(&self) -> bool;
    fn enter(&mut self, name: &OsStr) -> io::Result<()>;
    fn leave(&mut self, node: &Node) -> io::Result<()>;
    fn begin(&mut self, name: &OsStr) -> io::Result<()>;
    fn write(&mut self, content: &[u8]) -> io::Result<()>;
    fn end(&mut self, node: &Node) -> io::Result<()>;
    fn link(&mut self, name: &OsStr, target: &Path) -> io::Result<()>;
}

/// Compares tree with manifest, and nothing else.
pub(crate) struct Nowhere;

impl Sink for Nowhere {
    fn wants_contents(&self) -> bool {
        false
    }
    fn enter(&mut self, _: &OsStr) -> io::Result<()> {
        Ok(())
    }
    fn leave(&mut self, _: &Node) -> io::Result<()> {
        Ok(())
    }
    fn begin(&mut self, _: &OsStr) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _: &Node) -> io::Result<()> {
        Ok(())
    }
    fn link(&mut self, _: &OsStr, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Reads blobs of a repository, each compared with its name.
#[derive(Clone, Copy)]
pub(crate) struct Blobs<'a> {
    pub(crate) site: &'a Site,
    pub(crate) repository: &'a Indexed,
}

impl<'a> Blobs<'a> {
    fn blob(self, kind: BlobType, id: &str) -> Result<Bytes, TreeError> {
        let content = self.site.engine(|| self.repository.cat_blob(kind, id)).map_err(TreeError::Read)?;
        if sha256_hex(&content) == id {
            Ok(content)
        } else {
            Err(TreeError::Damaged { part: format!("blob {id}") })
        }
    }

    fn data(self, id: &DataId) -> Result<Bytes, TreeError> {
        self.blob(BlobType::Data, id.to_hex().as_str())
    }

    fn tree(self, id: TreeId) -> Result<Tree, TreeError> {
        let id = id.to_hex();
        let content = self.blob(BlobType::Tree, id.as_str())?;
        serde_json::from_slice(&content)
            .map_err(|_syntax| TreeError::Damaged { part: format!("tree {}", id.as_str()) })
    }

    /// The two folders of a snapshot: files, manifest.
    fn top(self, root: TreeId) -> Result<(Node, Node), TreeError> {
        let nodes: [Node; 2] = self.tree(root)?.nodes.try_into().map_err(|_other| incomplete())?;
        let [files, folder] = nodes;
        let named = files.name == manifest::FILES && folder.name == manifest::FOLDER;
        let Some(below) = folder.subtree.filter(|_| named && files.is_dir() && folder.is_dir()) else {
            return Err(incomplete());
        };
        let [manifest]: [Node; 1] = self.tree(below)?.nodes.try_into().map_err(|_other| incomplete())?;
        if manifest.name.ends_with(manifest::SUFFIX) && manifest.is_file() {
            Ok((files, manifest))
        } else {
            Err(incomplete())
        }
    }

    /// The manifest's bytes.
    pub(crate) fn manifest(self, root: TreeId) -> Result<Stream<'a>, TreeError> {
        let (_, manifest) = self.top(root)?;
        Ok(self.stream(&manifest))
    }

    fn stream(self, node: &Node) -> Stream<'a> {
        Stream {
            blobs: self,
            ids: node.content.clone().unwrap_or_default().into_iter(),
            current: Bytes::new(),
        }
    }
}

fn incomplete() -> TreeError {
    TreeError::Manifest { problem: "there is none: the snapshot was not made by this system".to_owned() }
}

/// A file's content, one blob in memory.
pub(crate) struct Stream<'a> {
    blobs: Blobs<'a>,
    ids: std::vec::IntoIter<DataId>,
    current: Bytes,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let Some(id) = self.ids.next() else { return Ok(0) };
            self.current = self.blobs.data(&id).map_err(io::Error::other)?;
        }
        let part = self.current.split_to(self.current.len().min(buffer.len()));
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}

struct Pass<'a, 's> {
    blobs: Blobs<'a>,
    manifest: manifest::Reader<BufReader<Stream<'a>>>,
    sink: &'s mut dyn Sink,
    control: &'s Control,
    progress: Progress,
}

/// Reads a snapshot into a sink. Returns how many files and bytes it was.
pub(crate) fn read(
    blobs: Blobs<'_>,
    root: TreeId,
    owner: &Owner,
    sink: &mut dyn Sink,
    control: &Control,
    progress: Progress,
) -> Result<Progress, TreeError> {
    let (files, node) = blobs.top(root)?;
    let (manifest, household) =
        manifest::Reader::new(BufReader::new(blobs.stream(&node))).map_err(|error| damaged(&error))?;
    if household != owner.household {
        return Err(TreeError::Manifest { problem: format!("it is of household {household}") });
    }
    let mut pass = Pass { blobs, manifest, sink, control, progress };
    pass.visit(&files, Path::new(""), 0)?;
    match pass.manifest.entry().map_err(|error| damaged(&error))? {
        None => Ok(pass.progress),
        Some(line) => Err(TreeError::Differs { path: line_path(&line).into() }),
    }
}

fn damaged(error: &ManifestError) -> TreeError {
    use std::error::Error as _;
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    TreeError::Manifest { problem: format!("{error}{cause}") }
}

fn line_path(line: &Line) -> &str {
    match line {
        Line::Folder { path } | Line::File { path, .. } | Line::Link { path, .. } => path,
        Line::Manifest { .. } | Line::End { .. } => "the manifest",
    }
}

impl Pass<'_, '_> {
    fn visit(&mut self, node: &Node, above: &Path, depth: usize) -> Result<(), TreeError> {
        let name = node.name();
        let path = above.join(&name);
        if !is_plain(&name) || depth > MAX_DEPTH + 2 {
            return Err(TreeError::Escapes { path });
        }
        if self.control.cancel.is_cancelled() {
            return Err(TreeError::Cancelled);
        }
        let text = path_text(&path);
        let line = self.manifest.entry().map_err(|error| damaged(&error))?;
        match (&node.node_type, line) {
            (NodeType::Dir, Some(Line::Folder { path: expected })) if expected == text => {
                self.folder(node, &path, depth)
            }
            (NodeType::File, Some(Line::File { path: expected, size, sha256 })) if expected == text => {
                self.file(node, &path, size, &sha256)
            }
            (NodeType::Symlink { .. }, Some(Line::Link { path: expected, target })) if expected == text => {
                let found = node.node_type.to_link();
                // A source's own folder is at depth 1, what lies in it is 0 folders below it.
                if depth < 2 || !link_stays(depth - 2, found.as_os_str()) {
                    return Err(TreeError::Escapes { path });
                }
                if path_text(found) != target {
                    return Err(TreeError::Differs { path });
                }
                self.sink.link(&name, found).map_err(|source| TreeError::Write { path, source })
            }
            (NodeType::Dir | NodeType::File | NodeType::Symlink { .. }, _) => {
                Err(TreeError::Differs { path })
            }
            (NodeType::Dev { .. } | NodeType::Chardev { .. } | NodeType::Fifo | NodeType::Socket, _) => {
                Err(TreeError::Special { path })
            }
        }
    }

    fn folder(&mut self, node: &Node, path: &Path, depth: usize) -> Result<(), TreeError> {
        let Some(below) = node.subtree else { return Err(TreeError::Differs { path: path.to_owned() }) };
        let failed = |source| TreeError::Write { path: path.to_owned(), source };
        self.sink.enter(&node.name()).map_err(failed)?;
        for child in self.blobs.tree(below)?.nodes {
            self.visit(&child, path, depth + 1)?;
        }
        self.sink.leave(node).map_err(failed)
    }

    fn file(&mut self, node: &Node, path: &Path, size: u64, sha256: &str) -> Result<(), TreeError> {
        let content = node.content.as_deref().unwrap_or_default();
        let differs = || TreeError::Differs { path: path.to_owned() };
        let failed = |source| TreeError::Write { path: path.to_owned(), source };
        self.progress.current = Some(path.display().to_string());
        if self.sink.wants_contents() {
            self.sink.begin(&node.name()).map_err(failed)?;
            let mut hash = Sha256::new();
            let mut length = 0_u64;
            for id in content {
                if self.control.cancel.is_cancelled() {
                    return Err(TreeError::Cancelled);
                }
                let blob = self.blobs.data(id)?;
                length += blob.len() as u64;
                if length > size {
                    return Err(differs());
                }
                hash.update(&blob);
                self.sink.write(&blob).map_err(failed)?;
                self.progress.bytes += blob.len() as u64;
                self.control.tell(&self.progress);
            }
            if length != size || crate::key::hex(&hash.finalize()) != sha256 {
                return Err(differs());
            }
            self.sink.end(node).map_err(failed)?;
        } else {
            let known = |id: &DataId| self.blobs.site.engine(|| self.blobs.repository.get_index_entry(id));
            let mut length = 0_u64;
            for id in content {
                length += u64::from(known(id).map_err(TreeError::Read)?.data_length());
            }
            if length != size {
                return Err(differs());
            }
            self.progress.bytes += size;
        }
        self.progress.files += 1;
        self.control.tell(&self.progress);
        Ok(())
    }
}

/// A name of one part that leads nowhere else.
fn is_plain(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !matches!(bytes, b"" | b"." | b"..")
        && !bytes.contains(&b'/')
        && !bytes.contains(&0)
        && bytes.len() <= 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere() {
        for bad in ["", ".", "..", "a/b", "/", "a\0", &"x".repeat(256)] {
            assert!(!is_plain(OsStr::new(bad)), "{bad:?}");
        }
        assert!(is_plain(OsStr::new("...")) && is_plain(OsStr::from_bytes(b"\xff")));
    }
}
