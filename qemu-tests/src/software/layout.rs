//! The images as an OCI layout (OCI image specification 1.1, `image-layout.md`).

use super::Image;
use super::programs::Program;
use anyhow::Context;
use anyhow::Result;
use image::digest::Sha256;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What tells images of an index apart.
const NAME: &str = "org.opencontainers.image.ref.name";

/// A layout that is being written.
#[derive(Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Begins an empty one.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        fs::create_dir_all(blobs(folder)).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes a layer, not compressed: its digest is also its diff id.
    pub(crate) fn layer(&self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<Sha256> {
        let part = blobs(&self.folder).join("part");
        let mut file = BufWriter::new(File::create(&part).context("cannot make a layer")?);
        write(&mut file)?;
        file.into_inner().context("cannot write a layer")?;
        let digest = Sha256::of_file(&part).context("cannot read a layer")?;
        fs::rename(&part, blob(&self.folder, &digest)).context("cannot name a layer")?;
        Ok(digest)
    }

    /// Writes manifests, configurations and the index.
    pub(crate) fn finish(&self, images: &[(&Program, [Sha256; 2])]) -> Result<()> {
        let mut manifests = Vec::new();
        for (program, layers) in images {
            let config = self.document(CONFIG, &config(program, layers))?;
            let mut described = Vec::new();
            for layer in layers {
                let size = fs::metadata(blob(&self.folder, layer)).context("cannot look at a layer")?.len();
                described.push(descriptor(LAYER, layer, size));
            }
            let manifest =
                json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described });
            let mut manifest = self.document(MANIFEST, &manifest)?;
            manifest["annotations"] = json!({ NAME: program.name });
            manifests.push(manifest);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        fs::write(self.folder.join("index.json"), index.to_string()).context("cannot write the index")?;
        fs::write(self.folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .context("cannot write the layout's version")
    }

    fn document(&self, kind: &str, document: &Value) -> Result<Value> {
        let bytes = document.to_string().into_bytes();
        let digest = Sha256::of(&bytes);
        fs::write(blob(&self.folder, &digest), &bytes).context("cannot write a document")?;
        Ok(descriptor(kind, &digest, u64::try_from(bytes.len())?))
    }
}

/// Reads the image of a program.
pub(crate) fn image(layout: &Path, program: &'static Program) -> Result<Image> {
    let index = read(&layout.join("index.json"))?;
    let manifests = index["manifests"].as_array().context("the index has no manifests")?;
    let found = manifests.iter().find(|manifest| manifest["annotations"][NAME] == program.name);
    let manifest = read(&of(layout, found.with_context(|| format!("no image of {}", program.name))?)?)?;
    let config = fs::read(of(layout, &manifest["config"])?).context("cannot read a configuration")?;
    let layer = |number: usize| Ok(hex(&manifest["layers"][number])?.to_owned());
    let layers: Result<[String; 2]> = layer(0).and_then(|low| Ok([low, layer(1)?]));
    Ok(Image { program, config, layers: layers? })
}

/// The file of a layer.
pub(crate) fn layer_file(layout: &Path, digest: &Sha256) -> PathBuf {
    blob(layout, digest)
}

fn config(program: &Program, layers: &[Sha256]) -> Value {
    let set = |names: &[&str]| -> BTreeMap<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), json!({}))).collect()
    };
    let ids: Vec<String> = layers.iter().map(|layer| format!("sha256:{layer}")).collect();
    json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": program.entrypoint,
            "Cmd": program.arguments,
            "Env": program.environment,
            "User": program.user,
            "WorkingDir": program.working_folder,
            "ExposedPorts": set(&[&format!("{}/tcp", program.check.port)]),
            "Volumes": set(program.volumes),
        },
        "rootfs": { "type": "layers", "diff_ids": ids },
    })
}

fn descriptor(kind: &str, digest: &Sha256, size: u64) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size })
}

fn blobs(layout: &Path) -> PathBuf {
    layout.join("blobs/sha256")
}

fn blob(layout: &Path, digest: &Sha256) -> PathBuf {
    blobs(layout).join(digest.to_string())
}

fn of(layout: &Path, descriptor: &Value) -> Result<PathBuf> {
    Ok(blobs(layout).join(hex(descriptor)?))
}

fn hex(descriptor: &Value) -> Result<&str> {
    let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
    digest.with_context(|| format!("no digest in {descriptor}"))
}

fn read(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("no sense in {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::programs::PROGRAMS;
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::begin(folder.path()).unwrap();
        let [low, high] =
            ["low", "high"].map(|text| layout.layer(|to| Ok(to.write_all(text.as_bytes())?)).unwrap());
        let images: Vec<_> = PROGRAMS.iter().map(|program| (program, [low, high])).collect();
        layout.finish(&images).unwrap();
        for program in PROGRAMS {
            let image = image(folder.path(), program).unwrap();
            assert_eq!(image.layers, [low.to_string(), high.to_string()]);
            assert_eq!(Sha256::of(b"low"), low);
            let config: Value = serde_json::from_slice(&image.config).unwrap();
            assert_eq!(config["config"]["Entrypoint"], json!(program.entrypoint));
        }
    }
}
