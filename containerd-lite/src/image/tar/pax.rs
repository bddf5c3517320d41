//! Extended headers: records `<length> <key>=<value>\n`, where the value may hold any byte (POSIX.1, `pax`).

use crate::image::Refused;
use std::str::FromStr;

/// What the records say that is used here.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<i64>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Option<Sparse>,
}

/// What is said of a sparse file.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    pub(super) version: Option<(u32, u32)>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

/// Reads the records.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Pax, Refused> {
    let mut pax = Pax::default();
    while !bytes.is_empty() {
        let (key, value, rest) =
            record(bytes).ok_or_else(|| Refused::archive("an extended header has a wrong record"))?;
        take(&mut pax, key, value)?;
        bytes = rest;
    }
    Ok(pax)
}

fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // The length is of the whole record, with its own digits.
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = plain(&bytes[..space])?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], rest))
}

fn take(pax: &mut Pax, key: &[u8], value: &[u8]) -> Result<(), Refused> {
    if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
        pax.attributes.push((name.to_vec(), value.to_vec()));
        return Ok(());
    }
    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
        let sparse = pax.sparse.get_or_insert_default();
        let version = sparse.version.get_or_insert((0, 0));
        match key {
            b"major" => version.0 = number(value)?,
            b"minor" => version.1 = number(value)?,
            b"name" => sparse.name = Some(value.to_vec()),
            b"realsize" => sparse.size = Some(number(value)?),
            _ => {}
        }
        return Ok(());
    }
    match key {
        // Takes back what an earlier record said, so that the header's own word counts (POSIX.1, `pax`).
        b"path" if value.is_empty() => pax.path = None,
        b"linkpath" if value.is_empty() => pax.link = None,
        b"size" if value.is_empty() => pax.size = None,
        b"uid" if value.is_empty() => pax.uid = None,
        b"gid" if value.is_empty() => pax.gid = None,
        b"mtime" if value.is_empty() => pax.mtime = None,
        b"path" => pax.path = Some(value.to_vec()),
        b"linkpath" => pax.link = Some(value.to_vec()),
        b"size" => pax.size = Some(number(value)?),
        b"uid" => pax.uid = Some(number(value)?),
        b"gid" => pax.gid = Some(number(value)?),
        b"mtime" => pax.mtime = Some(seconds(value)?),
        // Names of owners, further times, character sets, what tools say of themselves.
        _ => {}
    }
    Ok(())
}

fn number<T: FromStr>(value: &[u8]) -> Result<T, Refused> {
    plain(value).ok_or_else(|| Refused::archive("an extended header has a wrong number"))
}

/// A decimal number without a sign.
fn plain<T: FromStr>(value: &[u8]) -> Option<T> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_text| digits)?.parse().ok()
}

/// Whole seconds of a time with a fraction perhaps.
fn seconds(value: &[u8]) -> Result<i64, Refused> {
    let whole = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    let (negative, digits) = whole.strip_prefix(b"-").map_or((false, whole), |digits| (true, digits));
    let seconds: i64 = number(digits)?;
    Ok(if negative { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_any_byte() {
        let pax = parse(b"30 SCHILY.xattr.user.x=a\n1 b=\0\n\x0012 path=a/b\n".as_slice());
        // The first record says 30 bytes, of which the last is no line end.
        pax.unwrap_err();
        let value = b"a\n1 b=\0";
        let record = [b"31 SCHILY.xattr.user.x=".as_slice(), value, b"\n"].concat();
        assert_eq!(record.len(), 31);
        let pax = parse(&[record.as_slice(), b"12 path=a/b\n20 mtime=-12.345678\n"].concat()).unwrap();
        assert_eq!(pax.attributes, [(b"user.x".to_vec(), value.to_vec())]);
        assert_eq!(pax.path.unwrap(), b"a/b");
        assert_eq!(pax.mtime.unwrap(), -12);
    }

    #[test]
    fn an_empty_value_takes_an_earlier_one_back() {
        let whole = b"8 uid=5\n8 gid=6\n9 size=7\n10 path=a\n11 mtime=8\n14 linkpath=b\n";
        let emptied = b"7 uid=\n8 size=\n8 path=\n9 mtime=\n13 linkpath=\n";
        let pax = parse(&[whole.as_slice(), emptied].concat()).unwrap();
        assert_eq!((pax.uid, pax.gid, pax.size, pax.mtime), (None, Some(6), None, None));
        assert_eq!((pax.path, pax.link), (None, None));
    }

    #[test]
    fn wrong_records_are_refused() {
        for text in [
            "5",
            "0 a=b\n",
            "6 a=b",
            "99 a=b\n",
            "+6 a=b\n",
            "5 ab\n",
            "9 size=x\n",
            "10 uid=-1\n",
            "x",
            " ",
            "1 ",
        ] {
            let refused = parse(text.as_bytes()).unwrap_err();
            assert!(matches!(refused, Refused::Archive { .. }), "{text}");
        }
    }
}
