//! Signing PE files for Secure Boot ("Windows Authenticode Portable Executable Signature Format", in the UEFI specification's subset).
//!
//! A signature is a CMS `SignedData` over the digest of the file without its checksum and certificate table. The digest and the
//! types come from the `authenticode`, `cms` and `x509-cert` crates, the RSA signature from `ring`; PKCS #1 v1.5 signatures have no random
//! part, so that signed images are reproducible too. docs/adr/0004-sign-in-rust.md has the reasons.

mod pe_file;

#[cfg(test)]
mod tests;

use crate::digest::Sha256;
use crate::pe;
use crate::pe::Layout;
use crate::pe::PeError;
use authenticode::DigestInfo;
use authenticode::SPC_INDIRECT_DATA_OBJID;
use authenticode::SpcAttributeTypeAndOptionalValue;
use authenticode::SpcIndirectDataContent;
use authenticode::WIN_CERT_REVISION_2_0;
use authenticode::WIN_CERT_TYPE_PKCS_SIGNED_DATA;
use cms::cert::CertificateChoices;
use cms::cert::IssuerAndSerialNumber;
use cms::content_info::CmsVersion;
use cms::content_info::ContentInfo;
use cms::signed_data::CertificateSet;
use cms::signed_data::EncapsulatedContentInfo;
use cms::signed_data::SignedAttributes;
use cms::signed_data::SignedData;
use cms::signed_data::SignerIdentifier;
use cms::signed_data::SignerInfo;
use cms::signed_data::SignerInfos;
use der::Any;
use der::Decode;
use der::DecodePem;
use der::Encode;
use der::asn1::ObjectIdentifier;
use der::asn1::OctetString;
use der::asn1::SetOfVec;
use der::pem::PemLabel;
use pe_file::PeFile;
use ring::rand::SystemRandom;
use ring::signature::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use ring::signature::RsaKeyPair;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// `id-signedData`, RFC 5652 section 5.1.
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// `id-contentType`, RFC 5652 section 11.1.
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// `id-messageDigest`, RFC 5652 section 11.2.
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// `id-sha256`, RFC 5754 section 2.2.
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// `rsaEncryption`, RFC 3279 section 2.3.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `SPC_PE_IMAGE_DATAOBJ`, Authenticode specification.
const PE_IMAGE_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
/// `SpcPeImageData`: no flags, and an empty file name, as the specification asks for.
const PE_IMAGE: [u8; 11] = [0x30, 0x09, 0x03, 0x01, 0x00, 0xa0, 0x04, 0xa2, 0x02, 0x80, 0x00];

/// A key and its certificate.
pub struct Signer {
    key: RsaKeyPair,
    certificate: Certificate,
}

/// A file cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Key or certificate cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The certificate is none.
    #[error("{path} is no certificate in PEM")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: der::Error,
    },
    /// The key is of no use.
    #[error("{path} is no RSA key of at least 2048 bits in PEM (PKCS #8, not encrypted): {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the certificate is not for the key")]
    Pair,
    /// The file is no sound PE file.
    #[error("the file to sign is not sound")]
    Pe(#[source] PeError),
    /// The file's digest cannot be computed.
    #[error("the file to sign has no digest")]
    Digest(#[source] authenticode::PeOffsetError),
    /// The signature cannot be encoded.
    #[error("cannot encode the signature")]
    Encode(#[source] der::Error),
    /// The key does not sign.
    #[error("the key does not sign")]
    Sign,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("key", &"not shown")
            .field("certificate", &self.certificate.tbs_certificate.subject.to_string())
            .finish()
    }
}

/// The label of an unencrypted PKCS #8 key.
struct PrivateKey;

impl PemLabel for PrivateKey {
    const PEM_LABEL: &'static str = "PRIVATE KEY";
}

impl Signer {
    /// Loads a key (PKCS #8) and its certificate, both PEM.
    ///
    /// # Errors
    /// When a file cannot be read or understood, or they do not belong together.
    pub fn load(key: &Path, certificate: &Path) -> Result<Self, SignError> {
        let read =
            |path: &Path| fs::read(path).map_err(|source| SignError::Read { path: path.to_owned(), source });
        let bad_key = |reason: String| SignError::Key { path: key.to_owned(), reason };
        let pem = read(key)?;
        let (label, pkcs8) = der::pem::decode_vec(&pem).map_err(|error| bad_key(error.to_string()))?;
        PrivateKey::validate_pem_label(label).map_err(|error| bad_key(error.to_string()))?;
        let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| bad_key(error.to_string()))?;
        let certificate_pem = read(certificate)?;
        let certificate = Certificate::from_pem(&certificate_pem)
            .map_err(|source| SignError::Certificate { path: certificate.to_owned(), source })?;
        let public = &certificate.tbs_certificate.subject_public_key_info.subject_public_key;
        if public.as_bytes() != Some(pair.public_key().as_ref()) {
            return Err(SignError::Pair);
        }
        Ok(Self { key: pair, certificate })
    }

    /// Appends a signature to an unsigned PE file.
    ///
    /// # Errors
    /// When the file is not sound or signed already.
    pub fn sign(&self, file: &[u8]) -> Result<Vec<u8>, SignError> {
        let layout = Layout::of(file).map_err(SignError::Pe)?;
        if layout.certificate_table(file).map_err(SignError::Pe)? != (0, 0) {
            return Err(SignError::Pe(PeError::Signed));
        }
        // Certificates start at a multiple of 8, and the digest covers the padding before them.
        let mut bytes = file.to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let digest = digest(&bytes)?;
        let signature = self.signed_data(&digest).map_err(|error| match error {
            Signing::Encode(source) => SignError::Encode(source),
            Signing::Key => SignError::Sign,
        })?;
        append(bytes, layout, &signature).map_err(SignError::Pe)
    }

    /// The CMS structure over a file's digest, DER.
    fn signed_data(&self, digest: &Sha256) -> Result<Vec<u8>, Signing> {
        let sha256 = AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::null()) };
        let content = Any::encode_from(&SpcIndirectDataContent {
            data: SpcAttributeTypeAndOptionalValue {
                value_type: PE_IMAGE_DATA,
                value: Any::from_der(&PE_IMAGE)?,
            },
            message_digest: DigestInfo {
                digest_algorithm: sha256.clone(),
                digest: OctetString::new(digest.as_bytes().as_slice())?,
            },
        })?;
        // PKCS #7, which Authenticode builds on, digests the content without its tag and length.
        let message = Sha256::of(content.value());
        let attributes = attributes(&message)?;
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &attributes.to_der()?, &mut signature)
            .map_err(|_unspecified| Signing::Key)?;
        let issued = &self.certificate.tbs_certificate;
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: issued.issuer.clone(),
                serial_number: issued.serial_number.clone(),
            }),
            digest_alg: sha256.clone(),
            signed_attrs: Some(attributes),
            signature_algorithm: AlgorithmIdentifierOwned { oid: RSA, parameters: Some(Any::null()) },
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificate = CertificateChoices::Certificate(self.certificate.clone());
        let signed = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![sha256])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: SPC_INDIRECT_DATA_OBJID,
                econtent: Some(content),
            },
            certificates: Some(CertificateSet(SetOfVec::try_from(vec![certificate])?)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
        };
        let info = ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? };
        Ok(info.to_der()?)
    }
}

/// What can go wrong inside [`Signer::signed_data`].
#[derive(Debug)]
enum Signing {
    Encode(der::Error),
    Key,
}

impl From<der::Error> for Signing {
    fn from(error: der::Error) -> Self {
        Self::Encode(error)
    }
}

/// What the signature covers: the kind of content and its digest.
fn attributes(message: &Sha256) -> Result<SignedAttributes, der::Error> {
    let attribute =
        |oid, value| Ok::<_, der::Error>(Attribute { oid, values: SetOfVec::try_from(vec![value])? });
    SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, Any::encode_from(&SPC_INDIRECT_DATA_OBJID)?)?,
        attribute(MESSAGE_DIGEST, Any::encode_from(&OctetString::new(message.as_bytes().as_slice())?)?)?,
    ])
}

/// The digest of a PE file without its checksum and certificate table.
///
/// # Errors
/// When the file is not sound.
pub fn digest(file: &[u8]) -> Result<Sha256, SignError> {
    let layout = Layout::of(file).map_err(SignError::Pe)?;
    let mut covered = pe_file::Covered::default();
    authenticode::authenticode_digest(&PeFile { bytes: file, layout }, &mut covered)
        .map_err(SignError::Digest)?;
    Ok(covered.finish())
}

/// Appends the certificate table (`WIN_CERTIFICATE`) and notes it in the header.
fn append(mut bytes: Vec<u8>, layout: Layout, signature: &[u8]) -> Result<Vec<u8>, PeError> {
    let offset = u32::try_from(bytes.len()).map_err(|_large| PeError::TooLarge)?;
    let length = u32::try_from(signature.len() + 8).map_err(|_large| PeError::TooLarge)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&WIN_CERT_REVISION_2_0.to_le_bytes());
    bytes.extend_from_slice(&WIN_CERT_TYPE_PKCS_SIGNED_DATA.to_le_bytes());
    bytes.extend_from_slice(signature);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let size = u32::try_from(bytes.len()).map_err(|_large| PeError::TooLarge)? - offset;
    pe::put(&mut bytes, layout.certificates(), &offset.to_le_bytes())?;
    pe::put(&mut bytes, layout.certificates() + 4, &size.to_le_bytes())?;
    Ok(bytes)
}
