import { cis, containerRule, nsa } from "../rule";
import { show } from "../resource";
import { isAbsent, isUnknown } from "../unknown";

const pinned = /@sha256:[0-9a-f]{64}$/;

/** A tag is moved by whoever owns it; a digest is the content itself. */
export const imageDigests = containerRule(
  {
    id: "image-digests",
    title: "Images are named by digest",
    severity: "high",
    controls: [cis("5.5.1"), nsa("Building secure container images")],
    scanners: { trivy: ["KSV-0013"], kubeScore: ["container-image-tag"] },
    cluster: { per: "container", valid: "c.?image.orValue('').matches('@sha256:[0-9a-f]{64}$')" },
    remediation: "Take the reference from the artefact catalogue, which pins it as name:tag@sha256:digest.",
  },
  ({ spec: { image } }) =>
    isUnknown(image) || (!isAbsent(image) && pinned.test(image))
      ? undefined
      : `runs the image ${show(image)} without a digest`,
);
