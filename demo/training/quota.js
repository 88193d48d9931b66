// On a ZeroGPU Space: the headers that tell whose daily share of the GPU a run takes. The page of huggingface.co around
// ours gives them, as it gives them to Gradio's own client.

const ASK = "zerogpu-headers";
const OFFER = "supports-zerogpu-headers";
const around = location.hostname.endsWith(".hf.space") && window.parent !== window ? "https://huggingface.co" : null;
let offered = false;

if (around) {
  window.addEventListener("message", (event) => {
    if (event.origin === around && event.data === OFFER) offered = true;
  });
  window.parent.postMessage(OFFER, around);
}

/** The headers, or none where nobody gives them within two seconds: then the share is that of the visitor's address. */
export function quota() {
  if (!offered) return Promise.resolve({});
  return new Promise((given) => {
    const channel = new MessageChannel();
    const late = setTimeout(() => given({}), 2000);
    channel.port1.onmessage = ({ data }) => {
      clearTimeout(late);
      channel.port1.close();
      given(data ?? {});
    };
    window.parent.postMessage(ASK, around, [channel.port2]);
  });
}
