//! Answers from the server, as a component sees them come.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use gloo_timers::future::sleep;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::api::Failure;

/// How long to wait before asking again a server that did not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of an answer. Data and failure may both be there: the last data, and why there is none newer.
#[derive(Clone, PartialEq)]
pub struct Remote<T> {
    /// The last answer.
    pub data: Option<Rc<T>>,
    /// Why the last question has none.
    pub failure: Option<Failure>,
    /// Asks again; the data stays until the new answer is in.
    pub again: Callback<()>,
}

/// Asks on mount, when `key` changes, and when told to; a server that cannot be reached is asked again by itself.
#[hook]
pub fn use_remote<K, T, F>(key: K, ask: impl Fn(&K) -> F + 'static) -> Remote<T>
where
    K: Clone + PartialEq + 'static,
    T: 'static,
    F: Future<Output = Result<T, Failure>> + 'static,
{
    let data = use_state(|| None::<(K, Rc<T>)>);
    let failure = use_state(|| None::<Failure>);
    let round = use_state(|| 0_u32);
    let again = {
        let setter = round.setter();
        let counter = use_mut_ref(|| 0_u32);
        use_callback((), move |(), ()| {
            *counter.borrow_mut() += 1;
            setter.set(*counter.borrow());
        })
    };
    {
        let (data, failure, again) = (data.setter(), failure.setter(), again.clone());
        use_effect_with((key.clone(), *round), move |(key, _)| {
            let alive = Rc::new(Cell::new(true));
            let (alive_too, key, answer) = (Rc::clone(&alive), key.clone(), ask(key));
            spawn_local(async move {
                let answer = answer.await;
                if !alive.get() {
                    return;
                }
                match answer {
                    Ok(answer) => {
                        data.set(Some((key, Rc::new(answer))));
                        failure.set(None);
                    }
                    Err(reason) => {
                        failure.set(Some(reason.clone()));
                        if reason == Failure::Unreachable {
                            sleep(PATIENCE).await;
                            if alive.get() {
                                again.emit(());
                            }
                        }
                    }
                }
            });
            move || alive_too.set(false)
        });
    }
    // An answer to another question is no answer to this one.
    let current = data.as_ref().filter(|(asked, _)| *asked == key);
    Remote {
        data: current.map(|(_, answer)| Rc::clone(answer)),
        failure: (*failure).clone(),
        again,
    }
}
