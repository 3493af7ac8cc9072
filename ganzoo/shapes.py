"""The types in every signature: what a tensor holds and its shape. Checked when the tests run (jaxtyping, beartype).

`Images` are (n, c, h, w) in [-1, 1]; the points of 2-D data sets are (n, 2) and go wherever images go.
"""

from jaxtyping import Float, Int, UInt8
from torch import Tensor

Images = Float[Tensor, "n *sample"]
Packs = Float[Tensor, "packs *pack"]  # images as the discriminator sees them: several as one, or one as one
Latents = Float[Tensor, "n latent_dim"]
Labels = Int[Tensor, "n"]
Logits = Float[Tensor, "n"]
PerSample = Float[Tensor, "n"]
Scalar = Float[Tensor, ""]
Pixels = UInt8[Tensor, "n c h w"]
Points = Float[Tensor, "n 2"]
Features = Float[Tensor, "n features"]
ClassLogits = Float[Tensor, "n classes"]
