//! The root image: is it the one that was built together with this kernel and command line?

use std::fs::File;
use std::io;
use std::io::Read;

use sha2::Digest;
use sha2::Sha256;

use crate::cmdline::CommandLine;

/// Why the root image is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The command line does not say which root belongs to it.
    #[error("the command line has no hearth.root=")]
    NotNamed,
    /// It says so in a way that is not understood.
    #[error("hearth.root= is not sha256: and 64 hexadecimal digits")]
    Malformed,
    /// The file is not there or not readable.
    #[error("reading {path}")]
    Read {
        /// The root image.
        path: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The file is another one.
    #[error("root.erofs has sha256 {found} where the command line names {wanted}")]
    Differs {
        /// Hash of the file.
        found: String,
        /// Hash on the command line.
        wanted: String,
    },
}

/// Hashes the image and compares it with `hearth.root=`.
///
/// # Errors
/// When the word is missing or malformed, the file cannot be read, or the hashes differ.
pub fn check(line: &CommandLine, path: &str) -> Result<(), RootError> {
    let wanted = wanted(line.value("hearth.root"))?;
    let read = |source| RootError::Read { path: path.to_owned(), source };
    let found = sha256(File::open(path).map_err(read)?).map_err(read)?;
    if found == wanted {
        Ok(())
    } else {
        Err(RootError::Differs { found: hex(&found), wanted: hex(&wanted) })
    }
}

fn wanted(word: Option<&str>) -> Result<[u8; 32], RootError> {
    let digits = word.ok_or(RootError::NotNamed)?.strip_prefix("sha256:").ok_or(RootError::Malformed)?;
    let mut hash = [0; 32];
    if digits.len() != 64 {
        return Err(RootError::Malformed);
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return Err(RootError::Malformed) };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Ok(hash)
}

fn digit(character: u8) -> Result<u8, RootError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        _ => Err(RootError::Malformed),
    }
}

fn sha256(mut source: impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    // 256 KiB: few system calls without a buffer that shows in the memory of a 512 MiB box.
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn checked(line: &str, content: &[u8]) -> Result<(), RootError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        check(&CommandLine::parse(line), file.path().to_str().unwrap())
    }

    #[test]
    fn the_right_image_is_accepted() {
        checked(&format!("hearth.root=sha256:{ABC}"), b"abc").unwrap();
        checked(&format!("hearth.root=sha256:{}", ABC.to_uppercase()), b"abc").unwrap();
    }

    #[test]
    fn a_changed_or_cut_image_is_refused_with_both_hashes() {
        for content in [b"abd".as_slice(), b"ab", b""] {
            let refused = checked(&format!("hearth.root=sha256:{ABC}"), content).unwrap_err();
            assert!(matches!(&refused, RootError::Differs { wanted, .. } if wanted == ABC), "{refused}");
        }
    }

    #[test]
    fn without_a_well_formed_hash_nothing_boots() {
        assert!(matches!(checked("quiet", b"abc"), Err(RootError::NotNamed)));
        let odd = format!("hearth.root=sha256:{}\u{e9}", &ABC[..62]);
        for word in
            ["hearth.root=", "hearth.root=sha256:", "hearth.root=md5:00", &odd, &format!("hearth.root={ABC}")]
        {
            assert!(matches!(checked(word, b"abc"), Err(RootError::Malformed)), "{word}");
        }
    }

    #[test]
    fn a_missing_image_is_refused() {
        let line = CommandLine::parse(&format!("hearth.root=sha256:{ABC}"));
        assert!(matches!(check(&line, "/nonexistent/root.erofs"), Err(RootError::Read { .. })));
    }
}
