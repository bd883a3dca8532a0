//! `Settings`: what the plugin reads from its configuration and from CNI_ARGS.

use crate::cni::args::Args;
use crate::cni::config::load_error;
use crate::cni::object::{Object, ObjectError};
use crate::cni::{Call, Code, Config, Failure};
use crate::kernel::{Host, Sysfs, SysfsError};
use crate::pci::device::rdma_names;
use crate::pci::function;
use crate::plugins::char_devices::{self, Policy};
use crate::plugins::{device_name, fault};
use crate::sriov::derived_guid::derived;
use crate::sriov::{pf, vf_side};
use crate::types::{DeviceId, Guid, LinkPolicy, PciAddr, RdmaNaming};

/// What ib-kubernetes writes into `args.cni` when it has seen to a pod.
const CONFIGURED: (&str, &str) = ("mellanox.infiniband.app", "configured");

/// What is to be done about the GUID of a VF that nobody gave one for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuidPolicy {
    /// The VF must have one of its own.
    #[default]
    Require,
    /// Whatever it has, nothing too.
    Keep,
    /// One made from the PF's own GUID and the index of the VF, where it has none.
    Generate,
}

/// The settings of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The function; `None` only for [`Settings::read_what_can_be`].
    pub device: Option<PciAddr>,
    /// The GUID that was asked for, wherever.
    pub guid: Option<Guid>,
    /// What to do without one.
    pub guid_policy: GuidPolicy,
    /// Partition key, for whoever reads the record.
    pub pkey: String,
    /// Make an interface of the partition.
    pub pkey_interface: bool,
    /// The link policy to set.
    pub policy: Option<LinkPolicy>,
    /// The RDMA devices go along.
    pub isolation: bool,
    /// How they are to be called there.
    pub naming: RdmaNaming,
    /// What to do when the numbers of character devices changed.
    pub char_devices: Policy,
    /// The function is one for virtual machines; `None`: its driver says.
    pub vfio: Option<bool>,
    /// Where to write what the container got.
    pub device_info_file: String,
    /// Whether to report more.
    pub debug: bool,
}

impl Settings {
    /// Reads CNI_ARGS and the configuration, and refuses what makes no sense.
    ///
    /// # Errors
    /// Code 4 for CNI_ARGS, 7 for the configuration.
    pub fn read(call: &Call, config: &Config<'_>) -> Result<Self, Failure> {
        let args = Args::parse(&call.args)?;
        let raw = Raw::read(config).map_err(|error| load_error(&error))?;
        let mut settings = raw.checked(&args)?;
        settings.naming = device_name::read(config)?;
        settings.char_devices = char_devices::policy(config)?;
        settings.function()?;
        if raw.ib_kubernetes && raw.configured != CONFIGURED.1 {
            let (key, value) = CONFIGURED;
            return Err(Failure::new(
                Code::INVALID_CONFIG,
                format!("infiniBand SRIOV-CNI failed, InfiniBand status {key:?} is not {value:?} please check mellanox ib-kubernetes"),
            )
            .details(format!("ib-kubernetes writes args.cni[{key:?}] when it has given the pod a GUID; see its log, or set ibKubernetesEnabled to false")));
        }
        Ok(settings)
    }

    /// As [`Self::read`], where what cannot be read is as if it were not there; with what was
    /// wrong. DEL must not stumble over what ADD would have refused.
    pub fn read_what_can_be(call: &Call, config: &Config<'_>) -> (Self, Option<Failure>) {
        match Self::read(call, config) {
            Ok(settings) => (settings, None),
            Err(failure) => {
                let device = config.object.text("deviceID").unwrap_or_default();
                let settings = Self {
                    device: device.parse().ok(),
                    ..Self::default()
                };
                (settings, Some(failure))
            }
        }
    }

    /// The function.
    ///
    /// # Errors
    /// Code 7.
    pub fn function(&self) -> Result<PciAddr, Failure> {
        self.device.ok_or_else(|| {
            Failure::new(Code::INVALID_CONFIG, "deviceID is required")
                .details("the device plugin's resource gives it; in a file, set deviceID")
        })
    }

    /// Without a GUID given to it, the VF must have one of its own; also where none could be made.
    pub fn needs_guid(&self) -> bool {
        self.guid_policy != GuidPolicy::Keep
    }

    /// The GUID to set: the one asked for, or one made from the PF's where the VF has none and the
    /// policy says so.
    ///
    /// # Errors
    /// Code 5 when sysfs cannot be read.
    pub fn guid_for(&self, host: &Host, function: PciAddr) -> Result<Option<Guid>, Failure> {
        if self.guid.is_some() || self.guid_policy != GuidPolicy::Generate {
            return Ok(self.guid);
        }
        let read = || -> Result<Option<Guid>, SysfsError> {
            let sysfs = host.sysfs();
            let Some((pf, vf)) = pf::of_vf(sysfs, function)? else {
                return Ok(None);
            };
            let own = port_guid(sysfs, function)?;
            if own.is_some_and(Guid::is_assignable) {
                return Ok(None);
            }
            let factory = port_guid(sysfs, pf.address)?;
            Ok(factory.and_then(|factory| derived(factory, vf.index, "")))
        };
        read().map_err(|error| fault::sysfs(&error))
    }

    /// Whether ib-kubernetes has to give the GUID, and did not.
    pub fn lacks_guid_of_ib_kubernetes(&self, config: &Config<'_>) -> bool {
        self.guid.is_none()
            && flag(&config.object, "ibKubernetesEnabled").is_ok_and(|on| on == Some(true))
    }
}

/// The words of the configuration.
struct Raw {
    device: String,
    guid: String,
    guid_policy: String,
    pkey: String,
    pkey_interface: bool,
    link_state: String,
    isolation: bool,
    ib_kubernetes: bool,
    configured: String,
    vfio: Option<bool>,
    device_info_file: String,
    debug: bool,
}

impl Raw {
    fn read(config: &Config<'_>) -> Result<Self, ObjectError> {
        let object = &config.object;
        let runtime = object.object("runtimeConfig")?;
        // Pods fill args.cni with anything: a member of another type is not ours.
        let args = object.object("args").and_then(|args| args.object("cni"));
        let args = args.unwrap_or_default();
        let arg = |key: &str| args.text(key).unwrap_or_default();
        let first = |words: [String; 2]| words.into_iter().find(|word| !word.is_empty());
        Ok(Self {
            device: first([runtime.text("deviceID")?, object.text("deviceID")?])
                .unwrap_or_default(),
            guid: [
                runtime.text("infinibandGUID")?,
                arg("guid"),
                object.text("guid")?,
            ]
            .into_iter()
            .find(|word| !word.is_empty())
            .unwrap_or_default(),
            guid_policy: object.text("guidPolicy")?,
            pkey: object.text("pkey")?,
            pkey_interface: flag(object, "pkeyInterface")?.unwrap_or(false),
            link_state: object.text("link_state")?,
            isolation: flag(object, "rdmaIsolation")?.unwrap_or(false),
            ib_kubernetes: flag(object, "ibKubernetesEnabled")?.unwrap_or(false),
            configured: arg(CONFIGURED.0),
            vfio: flag(object, "vfioPciMode")?,
            device_info_file: runtime.text("CNIDeviceInfoFile")?,
            debug: args
                .get("debug")
                .ok()
                .flatten()
                .is_some_and(|value| matches!(value.get(), "true" | "\"true\"" | "1" | "\"1\"")),
        })
    }

    fn checked(&self, args: &Args) -> Result<Settings, Failure> {
        let invalid = |msg: String| Failure::new(Code::INVALID_CONFIG, msg);
        let device = match self.device.as_str() {
            "" => None,
            word => Some(word.parse().map_err(|error: crate::types::Invalid| {
                invalid(format!("failed to load netconf: {error}"))
                    .details("the device plugin's resource gives it; in a file, set deviceID")
            })?),
        };
        // CNI_ARGS goes before the file, as it comes from whoever starts this one container.
        let asked = match self.guid.as_str() {
            "" => args.guid.as_deref().unwrap_or_default(),
            word => word,
        };
        let guid = match asked {
            "" => None,
            word => Some(word.parse::<Guid>().ok().filter(|guid| guid.is_assignable()).ok_or_else(|| {
                invalid(format!("infiniBand SRI-OV CNI failed to configure VF \"invalid guid {word}\""))
                    .details("a GUID has 16 hex digits, as 02:00:00:00:00:00:00:aa, and is neither all zeros nor all ones")
            })?),
        };
        let policy = match self.link_state.as_str() {
            "" => None,
            word => Some(word.parse::<LinkPolicy>().map_err(|_| {
                invalid(format!(
                    "infiniBand SRI-OV CNI failed to load netconf: invalid link_state value: {word}"
                ))
                .details("link_state is auto, enable or disable")
            })?),
        };
        let guid_policy = match self.guid_policy.as_str() {
            "" | "require" => GuidPolicy::Require,
            "keep" => GuidPolicy::Keep,
            "generate" => GuidPolicy::Generate,
            word => {
                return Err(invalid(format!(
                    "failed to load netconf: invalid guidPolicy value: {word}"
                ))
                .details("guidPolicy is require, keep or generate"));
            }
        };
        Ok(Settings {
            device,
            guid,
            guid_policy,
            pkey: self.pkey.clone(),
            pkey_interface: self.pkey_interface,
            policy,
            isolation: self.isolation,
            naming: RdmaNaming::Keep,
            char_devices: Policy::Warn,
            vfio: self.vfio,
            device_info_file: self.device_info_file.clone(),
            debug: self.debug || args.debug,
        })
    }
}

/// The GUID of the first port of a function's RDMA device, at home.
fn port_guid(sysfs: &Sysfs, function: PciAddr) -> Result<Option<Guid>, SysfsError> {
    let names = rdma_names(sysfs, &DeviceId::Pci(function))?;
    let folder = function::folder(function).join("infiniband");
    let folder = folder.display().to_string();
    let first = names.into_iter().next();
    Ok(first.and_then(|name| vf_side::rdma(sysfs, &folder, name).port_guid))
}

fn flag(object: &Object<'_>, key: &str) -> Result<Option<bool>, ObjectError> {
    match object.get(key)? {
        None => Ok(None),
        Some(value) => match value.get() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(ObjectError::Type {
                key: key.to_owned(),
                wanted: "true or false",
            }),
        },
    }
}
