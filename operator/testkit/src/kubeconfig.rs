//! Who may speak to the private API server: static tokens, one per component, and the key that signs
//! ServiceAccount tokens. Certificates are the API server's own, made by itself at start.

use crate::Error;
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// One who may speak to the API server.
struct Identity {
    file: &'static str,
    user: &'static str,
    group: &'static str,
}

pub(crate) const ADMIN: &str = "admin.kubeconfig";
pub(crate) const CONTROLLER_MANAGER: &str = "controller-manager.kubeconfig";
pub(crate) const SCHEDULER: &str = "scheduler.kubeconfig";
pub(crate) const KWOK: &str = "kwok.kubeconfig";

pub(crate) const SIGNING_KEY: &str = "signing-key.pem";

const IDENTITIES: [Identity; 4] = [
    Identity {
        file: ADMIN,
        user: "admin",
        group: "system:masters",
    },
    Identity {
        file: CONTROLLER_MANAGER,
        user: "system:kube-controller-manager",
        group: "",
    },
    Identity {
        file: SCHEDULER,
        user: "system:kube-scheduler",
        group: "",
    },
    // What plays the kubelets may do what it likes.
    Identity {
        file: KWOK,
        user: "kwok",
        group: "system:masters",
    },
];

/// The files that say who is who.
pub(crate) struct Credentials {
    /// `--token-auth-file`.
    pub(crate) tokens: PathBuf,
    /// `--service-account-signing-key-file`.
    pub(crate) signing_key: PathBuf,
    /// `--service-account-key-file`.
    pub(crate) verifying_key: PathBuf,
}

impl Credentials {
    /// Makes tokens, kubeconfigs and a signing key in `dir`. The API server's certificate, which
    /// the kubeconfigs point to, is written by itself to `certificate`.
    pub(crate) fn make(dir: &Path, server: &str, certificate: &Path) -> Result<Self, Error> {
        let mut list = String::new();
        for (number, Identity { file, user, group }) in IDENTITIES.iter().enumerate() {
            let token = format!("{:032x}", rand::random::<u128>());
            list.push_str(&format!("{token},{user},{number},\"{group}\"\n"));
            write(&dir.join(file), &kubeconfig(server, certificate, &token))?;
        }
        let made = Self {
            tokens: dir.join("tokens.csv"),
            signing_key: dir.join(SIGNING_KEY),
            verifying_key: dir.join("verifying-key.pem"),
        };
        write(&made.tokens, &list)?;
        let (private, public) = signing_keys()?;
        write(&made.signing_key, &private)?;
        write(&made.verifying_key, &public)?;
        Ok(made)
    }
}

fn kubeconfig(server: &str, certificate: &Path, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: test, cluster: {{server: '{server}', certificate-authority: '{}'}}}}]\n\
         users: [{{name: test, user: {{token: '{token}'}}}}]\n\
         contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n",
        certificate.display()
    )
}

/// The private key and the public one. The API server reads no public key out of a private one.
fn signing_keys() -> Result<(String, String), Error> {
    let failed = |error| Error::Io {
        doing: "make a signing key",
        source: std::io::Error::other(error),
    };
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())
        .map_err(|error| failed(error.to_string()))?;
    let pair =
        EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).map_err(|error| failed(error.to_string()))?;
    let public: PublicKeyX509Der<'_> = pair
        .public_key()
        .as_der()
        .map_err(|error| failed(error.to_string()))?;
    Ok((
        pem("PRIVATE KEY", document.as_ref()),
        pem("PUBLIC KEY", public.as_ref()),
    ))
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Secrets are for us alone.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Error::file(path, source))
}
